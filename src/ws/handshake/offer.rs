//! What a client asks for.

use http::{
    HeaderMap, HeaderValue, Method, Version,
    header::{
        CONNECTION, CONTENT_LENGTH, HOST, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
    },
    request::Parts,
};

use super::{
    super::upgrade::ConnectProtocol,
    authority::Authority,
    extension,
    headers::{Only, has_token, is_token, list, only},
    key::Key,
    rejection::Rejection,
};

/// A request for a WebSocket that keeps the rules of RFC 6455, section 4.2.1, or of RFC 8441, section 5.
///
/// ```
/// use http::request::Parts;
/// use tower_realtime::ws::handshake::{Offer, Rejection};
///
/// fn wants_chat(head: &Parts) -> Result<bool, Rejection> {
///     let offer = Offer::parse(head)?;
///     println!("extensions: {:?}", offer.headers().get("sec-websocket-extensions"));
///     Ok(offer.protocols().contains(&"chat"))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// Over HTTP/1.1 only.
    pub(super) key: Option<Key<'a>>,
    pub(super) host: Option<Authority<'a>>,
    /// Of the request's target, where it has one: over HTTP/2, and in absolute form.
    pub(super) scheme: Option<&'a str>,
    pub(super) origin: OriginHeader<'a>,
    pub(super) protocols: Vec<&'a str>,
    headers: &'a HeaderMap,
}

/// `Origin`, before anybody has an opinion about it.
#[derive(Clone, Copy, Debug)]
pub(super) enum OriginHeader<'a> {
    Absent,
    One(&'a HeaderValue),
    Repeated,
}

impl<'a> Offer<'a> {
    /// Reads a request head.
    ///
    /// Over HTTP/2 the `:protocol` is expected in the extensions, as a
    /// [`ConnectProtocol`](crate::ws::upgrade::ConnectProtocol).
    ///
    /// # Errors
    ///
    /// The first rule that the head breaks.
    pub fn parse(head: &'a Parts) -> Result<Self, Rejection> {
        let http1 = head.version <= Version::HTTP_11;
        if http1 {
            http1_upgrade(head)?;
        } else {
            extended_connect(head)?;
        }
        version(&head.headers)?;
        let offer = Self {
            key: http1.then(|| key(&head.headers)).transpose()?,
            host: host(head, http1)?,
            scheme: head.uri.scheme_str(),
            origin: match only(&head.headers, ORIGIN) {
                Only::Absent => OriginHeader::Absent,
                Only::One(origin) => OriginHeader::One(origin),
                Only::Repeated => OriginHeader::Repeated,
            },
            protocols: protocols(&head.headers)?,
            headers: &head.headers,
        };
        extensions(&head.headers)?;
        Ok(offer)
    }

    /// The subprotocols that the client offers, the one it likes best first.
    #[must_use]
    pub fn protocols(&self) -> &[&'a str] {
        &self.protocols
    }

    /// All headers of the request, with the extensions that the client offers.
    #[must_use]
    pub const fn headers(&self) -> &'a HeaderMap {
        self.headers
    }
}

/// Whether a request asks for a WebSocket, well or badly. Others are somebody else's.
pub(crate) fn wants_websocket(head: &Parts) -> bool {
    if head.version <= Version::HTTP_11 {
        has_token(&head.headers, UPGRADE, "websocket")
    } else {
        protocol(head).is_some_and(is_websocket)
    }
}

fn http1_upgrade(head: &Parts) -> Result<(), Rejection> {
    // RFC 9110, section 7.8: an Upgrade in HTTP/1.0 MUST be ignored.
    if head.version < Version::HTTP_11 {
        return Err(Rejection::HttpVersion);
    }
    if head.method != Method::GET {
        return Err(Rejection::MethodNotGet);
    }
    if !has_token(&head.headers, UPGRADE, "websocket") {
        return Err(Rejection::MissingUpgrade);
    }
    if !has_token(&head.headers, CONNECTION, "upgrade") {
        return Err(Rejection::MissingConnection);
    }
    let empty = |length: &[u8]| length.iter().all(|&digit| digit == b'0');
    if head.headers.contains_key(TRANSFER_ENCODING)
        || !list(&head.headers, CONTENT_LENGTH).all(empty)
    {
        return Err(Rejection::BodyPresent);
    }
    Ok(())
}

fn extended_connect(head: &Parts) -> Result<(), Rejection> {
    match protocol(head) {
        None => Err(Rejection::MethodNotConnect),
        Some(_) if head.method != Method::CONNECT => Err(Rejection::MethodNotConnect),
        Some(name) if !is_websocket(name) => Err(Rejection::UnsupportedProtocol),
        Some(_) => Ok(()),
    }
}

fn protocol(head: &Parts) -> Option<&str> {
    head.extensions
        .get::<ConnectProtocol>()
        .map(ConnectProtocol::as_str)
}

fn is_websocket(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case("websocket")
}

/// One line with one value: lists are for answers (RFC 6455, section 11.3.5).
fn version(headers: &HeaderMap) -> Result<(), Rejection> {
    match only(headers, SEC_WEBSOCKET_VERSION) {
        Only::One(version) if version.as_bytes() == b"13" => Ok(()),
        _ => Err(Rejection::UnsupportedVersion),
    }
}

fn key(headers: &HeaderMap) -> Result<Key<'_>, Rejection> {
    match only(headers, SEC_WEBSOCKET_KEY) {
        Only::Absent => Err(Rejection::MissingKey),
        Only::One(key) => Key::parse(key).ok_or(Rejection::InvalidKey),
        Only::Repeated => Err(Rejection::DuplicateKey),
    }
}

/// RFC 9112, section 3.2: a `Host` must be there, once, and well formed; the authority of an absolute target then
/// stands above it. Over HTTP/2 `:authority` stands in for it.
fn host(head: &Parts, required: bool) -> Result<Option<Authority<'_>>, Rejection> {
    let named = match only(&head.headers, HOST) {
        Only::Absent if required => return Err(Rejection::MissingHost),
        Only::Absent => None,
        Only::One(host) => Some(host.to_str().map_err(|_| Rejection::InvalidHost)?),
        Only::Repeated => return Err(Rejection::DuplicateHost),
    };
    let named = named.map(|text| Authority::parse(text).ok_or(Rejection::InvalidHost));
    let named = named.transpose()?;
    match head.uri.authority() {
        None => Ok(named),
        Some(target) => match Authority::parse(target.as_str()) {
            None => Err(Rejection::InvalidHost),
            some => Ok(some),
        },
    }
}

/// Each a token, none twice (RFC 6455, section 4.1, item 10).
fn protocols(headers: &HeaderMap) -> Result<Vec<&str>, Rejection> {
    let mut names = Vec::new();
    for item in list(headers, SEC_WEBSOCKET_PROTOCOL) {
        let name = std::str::from_utf8(item).ok().filter(|_| is_token(item));
        match name {
            Some(name) if names.len() < MAX_PROTOCOLS && !names.contains(&name) => names.push(name),
            _ => return Err(Rejection::InvalidProtocols),
        }
    }
    Ok(names)
}

/// Whoever understands none of them still has to read them (RFC 6455, section 9.1).
fn extensions(headers: &HeaderMap) -> Result<(), Rejection> {
    for line in headers.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        extension::parse(line.as_bytes()).map_err(|_| Rejection::InvalidExtensions)?;
    }
    Ok(())
}

/// Keeps the search for repeated names cheap whatever a client sends.
const MAX_PROTOCOLS: usize = 64;
