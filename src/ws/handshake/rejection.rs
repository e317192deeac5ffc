//! Why a request is not answered with a WebSocket.

use std::{error, fmt};

use http::StatusCode;

/// What is wrong with a request for a WebSocket.
///
/// Every fault has a status, the headers that belong to it, and a body that names it:
/// [`into_response`](Self::into_response). The response carries the rejection in its extensions, for layers that
/// log or count.
///
/// ```
/// use http::Response;
/// use tower_realtime::ws::Rejection;
///
/// /// For a layer around the application.
/// fn note<B>(response: &Response<B>) {
///     match response.extensions().get::<Rejection>() {
///         Some(Rejection::OriginNotAllowed) => println!("a page of somebody else, or an origin to allow"),
///         Some(rejection) => println!("refused with {}: {rejection}", rejection.status()),
///         None => {}
///     }
/// }
///
/// assert_eq!(Rejection::OriginNotAllowed.status(), 403);
/// # note(&Response::new(()));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Rejection {
    /// A body was announced; bytes after the head are frames already (400).
    BodyPresent,
    /// More than one `Host` (400; RFC 9112, section 3.2).
    DuplicateHost,
    /// More than one `Sec-WebSocket-Key` (400).
    DuplicateKey,
    /// The policy doesn't know this host: [`HostPolicy`](super::HostPolicy) (403).
    HostNotAllowed,
    /// HTTP/1.0 and older can't upgrade (426; RFC 9110, section 7.8).
    HttpVersion,
    /// `Sec-WebSocket-Extensions` doesn't follow its grammar (400; RFC 6455, section 9.1).
    InvalidExtensions,
    /// `Host` is not `name` or `name:port` (400).
    InvalidHost,
    /// `Sec-WebSocket-Key` is not base64 of 16 bytes (400).
    InvalidKey,
    /// `Sec-WebSocket-Protocol` is not a list of tokens, or names one twice (400).
    InvalidProtocols,
    /// Over HTTP/2 and HTTP/3 a WebSocket starts with an extended CONNECT (405; RFC 8441).
    MethodNotConnect,
    /// Over HTTP/1.1 a WebSocket starts with GET (405).
    MethodNotGet,
    /// No `upgrade` among the tokens of `Connection` (400).
    MissingConnection,
    /// No `Host` (400).
    MissingHost,
    /// No `Sec-WebSocket-Key` (400).
    MissingKey,
    /// The policy wants an `Origin`, and there is none (403).
    MissingOrigin,
    /// No `websocket` among the tokens of `Upgrade`: this is no request for a WebSocket (426).
    MissingUpgrade,
    /// Over HTTP/2: what is here is a page, not a WebSocket (404).
    NotAWebSocket,
    /// The server below doesn't hand its connections over (500). On hyper: `serve_connection_with_upgrades`.
    NotUpgradable,
    /// The policy doesn't take this origin: [`OriginPolicy`](super::OriginPolicy) (403).
    OriginNotAllowed,
    /// An extended CONNECT for another protocol (501; RFC 9220, section 3).
    UnsupportedProtocol,
    /// Another version than 13 (426; RFC 6455, section 4.4).
    UnsupportedVersion,
}

impl Rejection {
    /// The status of the answer over HTTP/1.1. HTTP/2 has no 426, as it has no `Upgrade`: there it is a 400.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::BodyPresent
            | Self::DuplicateHost
            | Self::DuplicateKey
            | Self::InvalidExtensions
            | Self::InvalidHost
            | Self::InvalidKey
            | Self::InvalidProtocols
            | Self::MissingConnection
            | Self::MissingHost
            | Self::MissingKey => StatusCode::BAD_REQUEST,
            Self::HostNotAllowed | Self::MissingOrigin | Self::OriginNotAllowed => {
                StatusCode::FORBIDDEN
            }
            Self::MethodNotConnect | Self::MethodNotGet => StatusCode::METHOD_NOT_ALLOWED,
            Self::HttpVersion | Self::MissingUpgrade | Self::UnsupportedVersion => {
                StatusCode::UPGRADE_REQUIRED
            }
            Self::NotAWebSocket => StatusCode::NOT_FOUND,
            Self::NotUpgradable => StatusCode::INTERNAL_SERVER_ERROR,
            Self::UnsupportedProtocol => StatusCode::NOT_IMPLEMENTED,
        }
    }

    /// What the body of the answer says.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::BodyPresent => "a request for a WebSocket has no body",
            Self::DuplicateHost => "more than one Host header",
            Self::DuplicateKey => "more than one Sec-WebSocket-Key header",
            Self::HostNotAllowed => "this server does not answer to this Host",
            Self::HttpVersion => "a WebSocket needs HTTP/1.1 or newer",
            Self::InvalidExtensions => "Sec-WebSocket-Extensions is malformed",
            Self::InvalidHost => "Host is malformed",
            Self::InvalidKey => "Sec-WebSocket-Key is not base64 of 16 bytes",
            Self::InvalidProtocols => "Sec-WebSocket-Protocol is not a list of distinct tokens",
            Self::MethodNotConnect => {
                "over this HTTP version a WebSocket starts with CONNECT and :protocol websocket"
            }
            Self::MethodNotGet => "a WebSocket starts with GET",
            Self::MissingConnection => "Connection does not contain the token upgrade",
            Self::MissingHost => "no Host header",
            Self::MissingKey => "no Sec-WebSocket-Key header",
            Self::MissingOrigin => "no Origin header",
            Self::MissingUpgrade => {
                "Upgrade does not contain websocket: this address answers WebSocket handshakes only"
            }
            Self::NotAWebSocket => "there is no WebSocket here",
            Self::NotUpgradable => "the server does not hand over connections for upgrades",
            Self::OriginNotAllowed => "this Origin may not open a WebSocket here",
            Self::UnsupportedProtocol => "the only :protocol here is websocket",
            Self::UnsupportedVersion => "Sec-WebSocket-Version is not 13",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl error::Error for Rejection {}
