use std::{fmt, sync::Arc};

use futures_io::{AsyncRead, AsyncWrite};

use super::{
    connection,
    params::{Params, Role, Settings},
    websocket::{self, WebSocket},
};
use crate::{
    rt::DynTimer,
    ws::{Closed, Outcome, deflate::Agreed, tuned::tuned},
};

/// One end of a connection whose handshake has been made elsewhere.
///
/// For servers and clients with a handshake of their own, for tests, and for transports that are no HTTP. Without a
/// [timer](Self::timer) there are no time-outs and no heartbeat.
///
/// ```
/// use tower_realtime::ws::{Endpoint, WebSocket};
/// # async fn f(io: impl futures_io::AsyncRead + futures_io::AsyncWrite + Unpin) {
/// let closed = Endpoint::server()
///     .timer(tokio::time::sleep)
///     .serve(io, async |mut socket: WebSocket| {
///         while let Ok(Some(message)) = socket.recv().await {
///             let _ = socket.send(message).await;
///         }
///     })
///     .await;
/// println!("closed with {}", closed.code());
/// # }
/// ```
///
/// Both ends of one, over a pipe in memory:
///
/// ```
/// use std::time::Duration;
/// use futures_util::future::join;
/// use hyper_util::rt::TokioIo;
/// use tower_realtime::{rt::Tokio, ws::{Endpoint, Heartbeat, Limits, Message, WebSocket, upgrade::HyperIo}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (ours, theirs) = tokio::io::duplex(1024);
/// let server = Endpoint::server()
///     .protocol("echo")
///     .limits(Limits::new().message(1024))
///     .heartbeat(Heartbeat::off())
///     .close_timeout(Duration::from_secs(1))
///     .timer(Tokio);
/// let echo = server.serve(HyperIo::new(TokioIo::new(ours)), async |mut socket: WebSocket| {
///     assert_eq!(socket.protocol(), Some("echo"));
///     while let Ok(Some(message)) = socket.recv().await {
///         let _ = socket.send(message).await;
///     }
/// });
/// let mut client = Endpoint::client().open(HyperIo::new(TokioIo::new(theirs)));
/// let ask = async {
///     client.send("hello").await.expect("sent");
///     assert_eq!(client.recv().await.expect("no error"), Some(Message::text("hello")));
///     client.close(None).await
/// };
/// let (server, client) = join(echo, ask).await;
/// assert!(server.is_clean() && client.is_clean());
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Endpoint {
    role: Role,
    settings: Arc<Settings>,
    timer: Option<DynTimer>,
    protocol: Option<Box<str>>,
    pub(in crate::ws) deflate: Option<Agreed>,
}

impl Endpoint {
    /// The end that was asked. Its peer masks.
    pub fn server() -> Self {
        Self::new(Role::Server)
    }

    /// The end that asked. It masks.
    pub fn client() -> Self {
        Self::new(Role::Client)
    }

    fn new(role: Role) -> Self {
        Self {
            role,
            settings: Arc::default(),
            timer: None,
            protocol: None,
            deflate: None,
        }
    }

    tuned! {
        /// Sets the clock of the heartbeat and of the time-outs; without it there are none.
    }

    /// The subprotocol that was agreed on.
    pub fn protocol(mut self, protocol: impl Into<Box<str>>) -> Self {
        self.protocol = Some(protocol.into());
        self
    }

    /// Runs `handler` with the socket, and drives the connection beside it. Ready when both have ended.
    pub fn serve<T, F, Fut>(
        &self,
        io: T,
        handler: F,
    ) -> impl Future<Output = Closed> + use<T, F, Fut>
    where
        T: AsyncRead + AsyncWrite + Unpin,
        F: FnOnce(WebSocket) -> Fut,
        Fut: Future,
        Fut::Output: Outcome,
    {
        connection::serve(io, self.params(), handler)
    }

    /// A socket that is driven by its own methods.
    #[must_use]
    pub fn open<T>(&self, io: T) -> WebSocket
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        websocket::open(io, self.params())
    }

    fn params(&self) -> Params {
        Params {
            timer: self.timer.clone(),
            protocol: self.protocol.clone(),
            deflate: self.deflate,
            ..Params::new(self.role, Arc::clone(&self.settings))
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("role", &self.role)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
