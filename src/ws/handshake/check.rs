//! What a client makes of the answer (RFC 6455, section 4.1; RFC 8441, section 5).

use std::{error, fmt};

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
    },
};

use super::{
    headers::{Only, has_token, only},
    key::accept_value,
    subprotocol::Subprotocols,
};

/// What a client asked for.
pub(crate) struct Asked<'a> {
    /// Over HTTP/1.1 only.
    pub(crate) key: Option<&'a HeaderValue>,
    pub(crate) protocols: &'a Subprotocols,
    /// Whether extensions were offered; then somebody else checks the answer to them.
    pub(crate) extensions: bool,
}

impl Asked<'_> {
    /// Whether the status says yes. What else it says is for [`check`](Self::check), or is a refusal.
    pub(crate) fn is_accepted(&self, status: StatusCode) -> bool {
        match self.key {
            Some(_) => status == StatusCode::SWITCHING_PROTOCOLS,
            None => status.is_success(),
        }
    }

    /// The subprotocol of an answer that keeps the rules.
    pub(crate) fn check<'h>(
        &self,
        headers: &'h HeaderMap,
    ) -> Result<Option<&'h str>, InvalidAnswer> {
        if let Some(key) = self.key {
            upgrade(headers, key)?;
        }
        if !self.extensions && headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
            return Err(InvalidAnswer::UnaskedExtension);
        }
        match only(headers, SEC_WEBSOCKET_PROTOCOL) {
            Only::Absent => Ok(None),
            Only::One(name) => match name.to_str() {
                Ok(name) if self.protocols.contains(name) => Ok(Some(name)),
                _ => Err(InvalidAnswer::UnaskedProtocol),
            },
            Only::Repeated => Err(InvalidAnswer::RepeatedProtocol),
        }
    }
}

fn upgrade(headers: &HeaderMap, key: &HeaderValue) -> Result<(), InvalidAnswer> {
    if !has_token(headers, UPGRADE, "websocket") {
        return Err(InvalidAnswer::MissingUpgrade);
    }
    if !has_token(headers, CONNECTION, "upgrade") {
        return Err(InvalidAnswer::MissingConnection);
    }
    match only(headers, SEC_WEBSOCKET_ACCEPT) {
        Only::Absent => Err(InvalidAnswer::MissingAccept),
        Only::One(accept) if *accept == accept_value(key.as_bytes()) => Ok(()),
        Only::One(_) | Only::Repeated => Err(InvalidAnswer::WrongAccept),
    }
}

/// How the answer of a server breaks the rules.
///
/// It is the source of a [`ConnectError`](crate::ws::ConnectError) that
/// [is about it](crate::ws::ConnectError::is_invalid_answer):
///
/// ```
/// use std::{convert::Infallible, error::Error};
/// use http::{Request, Response};
/// use tower_realtime::{loopback::Loopback, ws::{Connector, InvalidAnswer}};
///
/// // A cache between here and the server, which answers with what it has from yesterday.
/// let cache = tower::service_fn(|_: Request<()>| async {
///     let response = Response::builder()
///         .status(101)
///         .header("connection", "upgrade")
///         .header("upgrade", "websocket")
///         .header("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
///     Ok::<_, Infallible>(response.body(String::new()).expect("a response"))
/// });
/// let request = Request::get("ws://localhost/").body(()).expect("a request");
/// let connector = Connector::new();
/// let connecting = connector.connect(Loopback::new(cache), request);
/// let error = smol::block_on(connecting).expect_err("a wrong answer");
/// let fault = error.source().and_then(|source| source.downcast_ref());
/// assert_eq!(fault, Some(&InvalidAnswer::WrongAccept));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum InvalidAnswer {
    /// No `Sec-WebSocket-Accept`.
    MissingAccept,
    /// No `upgrade` among the tokens of `Connection`.
    MissingConnection,
    /// No `websocket` among the tokens of `Upgrade`.
    MissingUpgrade,
    /// More than one subprotocol.
    RepeatedProtocol,
    /// An extension that was not offered, or not with these parameters.
    UnaskedExtension,
    /// A subprotocol that was not offered.
    UnaskedProtocol,
    /// `Sec-WebSocket-Accept` doesn't belong to the key: a cache answered, or something that speaks no WebSocket.
    WrongAccept,
}

impl fmt::Display for InvalidAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingAccept => "the server's answer has no Sec-WebSocket-Accept",
            Self::MissingConnection => "Connection in the server's answer lacks the token upgrade",
            Self::MissingUpgrade => "Upgrade in the server's answer lacks websocket",
            Self::RepeatedProtocol => "the server answered more than one subprotocol",
            Self::UnaskedExtension => "the server answered an extension that was not offered",
            Self::UnaskedProtocol => "the server answered a subprotocol that was not offered",
            Self::WrongAccept => "Sec-WebSocket-Accept does not belong to the key that was sent",
        })
    }
}

impl error::Error for InvalidAnswer {}
