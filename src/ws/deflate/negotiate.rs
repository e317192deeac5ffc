//! Which parameters hold: the server's answer, the client's offer and its check of the answer (pure; RFC 7692, sections 5 and 7).

use std::error::Error;
use std::fmt;

use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{HeaderMap, HeaderValue};

use super::Deflate;
use super::memory::{self, MAX_BITS, MIN_BITS};
use crate::ws::handshake::extension::{self, Extension};

const NAME: &str = "permessage-deflate";

/// What both ends have agreed on, and what we do within it.
///
/// It comes from [`answer`] or [`check`], and is what [`DeflateIo`](super::DeflateIo) works by: that has an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    pub(super) send: Direction,
    pub(super) receive: Direction,
    pub(super) deflate: Deflate,
    /// What the offer has named: an answer names a window only where it may.
    named: Named,
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Direction {
    pub(super) bits: u8,
    pub(super) takeover: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Named {
    server_bits: bool,
    client_bits: bool,
}

/// The parameters of one offer or answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parameters {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_bits: Option<u8>,
    /// Named without a value, it says that the client knows it.
    client_bits: Option<Option<u8>>,
}

/// The server has answered something that was not offered, or not in the way it was offered.
///
/// [`check`] fails with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidAnswer(&'static str);

impl fmt::Display for InvalidAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid Sec-WebSocket-Extensions in the answer: {}",
            self.0
        )
    }
}

impl Error for InvalidAnswer {}

/// Server: the first offer in the request's headers that we can take, if any.
///
/// An offer with an unknown, repeated or invalid parameter is passed over (RFC 7692, section 7),
/// and so is one that asks us for a window of 8 bits, which zlib can't do.
#[must_use]
pub fn answer(deflate: &Deflate, request: &HeaderMap) -> Option<Agreed> {
    for line in request.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        let offers = extension::parse(line.as_bytes()).ok()?;
        let mut offers = offers.iter().filter(|offer| offer.name == NAME);
        if let Some(agreed) = offers.find_map(|offer| take(deflate, Parameters::read(offer)?)) {
            return Some(agreed);
        }
    }
    None
}

fn take(deflate: &Deflate, offer: Parameters) -> Option<Agreed> {
    let server_limit = offer.server_bits.unwrap_or(MAX_BITS);
    if server_limit < MIN_BITS {
        return None;
    }
    let client_limit = offer.client_bits.map(|bits| bits.unwrap_or(MAX_BITS));
    let receive = receiving(deflate, client_limit, !offer.client_no_takeover);
    let send = sending(deflate, server_limit, !offer.server_no_takeover, receive);
    let named = Named {
        server_bits: offer.server_bits.is_some(),
        // The client said already that its window is no larger: nothing to add, unless ours is smaller still.
        client_bits: client_limit.is_some_and(|limit| receive.bits < limit || limit < MAX_BITS),
    };
    Some(Agreed {
        send,
        receive,
        deflate: *deflate,
        named,
    })
}

/// What we accept of the peer, who can limit its window to `limit` bits or can't limit it.
fn receiving(deflate: &Deflate, limit: Option<u8>, takeover: bool) -> Direction {
    let wish = deflate.receive;
    let bits = wish.bits.min(limit.unwrap_or(MAX_BITS));
    let kept = match limit {
        _ if !(wish.takeover && takeover) => None,
        Some(_) => memory::fit_receiving(deflate.memory, bits.min(MIN_BITS), bits),
        None if bits < MAX_BITS => None,
        None => memory::fit_receiving(deflate.memory, MAX_BITS, MAX_BITS),
    };
    // Without takeover a smaller window saves nothing between messages: let the peer have what was wished.
    let unkept = if limit.is_some() { bits } else { MAX_BITS };
    Direction {
        bits: kept.unwrap_or(unkept),
        takeover: kept.is_some(),
    }
}

fn sending(deflate: &Deflate, limit: u8, takeover: bool, receive: Direction) -> Direction {
    let wish = deflate.send;
    let bits = wish.bits.min(limit);
    let held = receive.takeover.then_some(receive.bits);
    let budget = memory::left_by_receiving(deflate.memory, held);
    let kept = (wish.takeover && takeover)
        .then(|| memory::fit_sending(budget, bits))
        .flatten();
    Direction {
        bits: kept.unwrap_or(bits),
        takeover: kept.is_some(),
    }
}

/// Client: the value of the request's `Sec-WebSocket-Extensions`.
///
/// It may hold two offers. The second one is for servers that ask a client to forget its window only where it said
/// that it can (RFC 7692, section 7.1.1.2 calls it a hint); all others take the first.
///
/// [`check`] has an example.
#[must_use]
pub fn offer(deflate: &Deflate) -> HeaderValue {
    let (send, receive) = wanted(deflate);
    let first = Parameters {
        server_no_takeover: !receive.takeover,
        client_no_takeover: !send.takeover,
        server_bits: (receive.bits < MAX_BITS).then_some(receive.bits),
        client_bits: Some((send.bits < MAX_BITS).then_some(send.bits)),
    };
    if first.client_no_takeover {
        return value(first.to_string());
    }
    let second = Parameters {
        client_no_takeover: true,
        ..first
    };
    value(format!("{first}, {second}"))
}

/// What a client asks for: every server understands a limit of its own window.
fn wanted(deflate: &Deflate) -> (Direction, Direction) {
    let receive = receiving(deflate, Some(MAX_BITS), true);
    (sending(deflate, MAX_BITS, true, receive), receive)
}

/// Client: what the server has made of our [`offer`]; `None` when it declined.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
/// use tower_realtime::ws::deflate::{Deflate, check, offer};
///
/// let deflate = Deflate::new().no_context_takeover();
/// assert!(offer(&deflate).to_str().expect("text").starts_with("permessage-deflate"));
///
/// let mut response = HeaderMap::new();
/// assert!(check(&deflate, &response)?.is_none()); // it declined
/// let unasked = HeaderValue::from_static("permessage-deflate; server_max_window_bits=20");
/// response.insert(SEC_WEBSOCKET_EXTENSIONS, unasked);
/// assert!(check(&deflate, &response).is_err());
/// # Ok::<(), tower_realtime::ws::deflate::InvalidAnswer>(())
/// ```
///
/// # Errors
///
/// An answer that the offer does not allow: the connection has to be failed (RFC 7692, section 5.1).
pub fn check(deflate: &Deflate, response: &HeaderMap) -> Result<Option<Agreed>, InvalidAnswer> {
    let mut answered = None;
    for line in response.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        let elements = extension::parse(line.as_bytes()).map_err(|_| InvalidAnswer("malformed"))?;
        for element in &elements {
            if element.name != NAME {
                return Err(InvalidAnswer("an extension that was not offered"));
            }
            let parameters = Parameters::read(element);
            let parameters = parameters.ok_or(InvalidAnswer(
                "a parameter that does not exist, or exists twice",
            ))?;
            if answered.replace(parameters).is_some() {
                return Err(InvalidAnswer("permessage-deflate twice"));
            }
        }
    }
    answered
        .map(|parameters| settle(deflate, parameters))
        .transpose()
}

fn settle(deflate: &Deflate, answer: Parameters) -> Result<Agreed, InvalidAnswer> {
    let (mut send, mut receive) = wanted(deflate);
    // Section 7.1.1.1: a server accepts the parameter by repeating it; without it, it has not accepted our offer.
    if !receive.takeover && !answer.server_no_takeover {
        return Err(InvalidAnswer("server_no_context_takeover is missing"));
    }
    receive.takeover &= !answer.server_no_takeover;
    send.takeover &= !answer.client_no_takeover;
    receive.bits = match answer.server_bits {
        Some(bits) if bits <= receive.bits => bits,
        None if receive.bits == MAX_BITS => MAX_BITS,
        _ => {
            return Err(InvalidAnswer(
                "server_max_window_bits is not within the offer",
            ));
        }
    };
    send.bits = match answer.client_bits {
        None => send.bits,
        Some(Some(bits)) if bits <= send.bits => bits,
        _ => {
            return Err(InvalidAnswer(
                "client_max_window_bits is not within the offer",
            ));
        }
    };
    Ok(Agreed {
        send,
        receive,
        deflate: *deflate,
        named: Named::default(),
    })
}

impl Agreed {
    /// Server: the value of the response's `Sec-WebSocket-Extensions`.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        let parameters = Parameters {
            server_no_takeover: !self.send.takeover,
            client_no_takeover: !self.receive.takeover,
            server_bits: self.named.server_bits.then_some(self.send.bits),
            client_bits: self.named.client_bits.then_some(Some(self.receive.bits)),
        };
        value(parameters.to_string())
    }
}

impl Parameters {
    /// `None` for a parameter that does not exist, exists twice or has an impossible value.
    fn read(extension: &Extension<'_>) -> Option<Self> {
        let mut read = Self::default();
        for (key, value) in &extension.parameters {
            let value = value.as_deref();
            let repeated = match *key {
                "server_no_context_takeover" => flag(&mut read.server_no_takeover, value)?,
                "client_no_context_takeover" => flag(&mut read.client_no_takeover, value)?,
                "server_max_window_bits" => read.server_bits.replace(bits(value?)?).is_some(),
                "client_max_window_bits" => {
                    let bits = value.map(bits).map_or(Some(None), |bits| bits.map(Some))?;
                    read.client_bits.replace(bits).is_some()
                }
                _ => return None,
            };
            if repeated {
                return None;
            }
        }
        Some(read)
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        match self.client_bits {
            Some(Some(bits)) => write!(f, "; client_max_window_bits={bits}"),
            Some(None) => f.write_str("; client_max_window_bits"),
            None => Ok(()),
        }
    }
}

fn value(header: String) -> HeaderValue {
    HeaderValue::try_from(header).expect("names and numbers are ASCII")
}

/// Sets a parameter that has no value; says whether it was set before.
fn flag(flag: &mut bool, value: Option<&str>) -> Option<bool> {
    match value {
        Some(_) => None,
        None => Some(std::mem::replace(flag, true)),
    }
}

/// Section 7.1.2: "a decimal integer value without leading zeroes between 8 to 15, inclusive".
fn bits(value: &str) -> Option<u8> {
    match value.as_bytes() {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}
