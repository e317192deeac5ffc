//! A connection that has left HTTP.
//!
//! A server that can hand over its connections puts an [`OnUpgrade`] into the extensions of the request; what
//! comes out of it after the answer is the byte stream below the WebSocket, an [`Upgraded`]. hyper's own
//! `hyper::upgrade::OnUpgrade` is understood as well (feature `hyper`), which covers axum, warp, tonic, poem and
//! salvo. For another server, or for a test, insert one:
//!
//! ```
//! use futures_util::io::Cursor;
//! use tower_realtime::ws::upgrade::{OnUpgrade, Upgraded};
//!
//! let mut request = http::Request::new(());
//! let connection = Cursor::new(vec![0u8; 16]); // what the server owns: any `AsyncRead + AsyncWrite`
//! request.extensions_mut().insert(OnUpgrade::new(async { Ok(Upgraded::new(connection)) }));
//! ```

mod connect;
#[cfg(feature = "http2")]
mod http2;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(not(feature = "hyper"))]
#[path = "no_hyper.rs"]
mod hyper;
mod pending;
pub(crate) mod pipe;
#[cfg(feature = "http2")]
mod protocol;
#[cfg(all(feature = "hyper", not(feature = "http2")))]
#[path = "no_protocol.rs"]
mod protocol;
mod upgraded;

#[cfg(feature = "http2")]
pub use self::http2::{Http2Client, Watched};
#[cfg(feature = "hyper")]
pub use self::hyper::HyperIo;
pub(crate) use self::hyper::{adopt, extended_connect, take_upgrade};
pub(crate) use self::pending::{Promise, promise};
pub use self::{connect::ConnectProtocol, pending::OnUpgrade, upgraded::Upgraded};
