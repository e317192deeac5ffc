//! The opening handshake, decided (RFC 6455, section 4; RFC 8441): a request head goes in, an answer comes out.
//!
//! Everything in here is a plain value or function, without I/O and without a clock. [`Offer::parse`] reads what a
//! client asks for, or says what is wrong with it as a [`Rejection`]; [`Policy::answer`] decides, and the
//! [`Answer`] becomes the head of a response. [`Acceptor`](super::Acceptor) is all of this with the connection
//! behind it.
//!
//! ```
//! use http::{Request, StatusCode};
//! use tower_realtime::ws::handshake::{Offer, Policy, Rejection};
//!
//! let (head, ()) = Request::get("/chat")
//!     .header("host", "example.com")
//!     .header("connection", "keep-alive, Upgrade")
//!     .header("upgrade", "websocket")
//!     .header("sec-websocket-version", "13")
//!     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
//!     .header("origin", "https://elsewhere.example")
//!     .body(())?
//!     .into_parts();
//!
//! let offer = Offer::parse(&head)?;
//! let refused = Policy::new().answer(&offer).unwrap_err();
//! assert_eq!(refused, Rejection::OriginNotAllowed);
//! assert_eq!(refused.status(), StatusCode::FORBIDDEN);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authority;
mod check;
#[cfg_attr(not(feature = "deflate"), allow(dead_code))] // what it names is for `ws::deflate`
pub(super) mod extension;
mod headers;
mod host;
mod key;
mod offer;
mod origin;
mod policy;
mod redirect;
mod rejection;
mod reply;
mod subprotocol;

pub(crate) use self::check::Asked;
pub(crate) use self::headers::has_token;
pub(crate) use self::offer::wants_websocket;
pub(crate) use self::redirect::{strip_credentials, to_http};
pub(crate) use self::subprotocol::Subprotocols;
pub use self::{
    check::InvalidAnswer,
    host::HostPolicy,
    offer::Offer,
    origin::{InvalidOrigin, Origin, OriginPolicy},
    policy::{Answer, Policy},
    redirect::Redirects,
    rejection::Rejection,
};
