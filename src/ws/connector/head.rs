//! HTTP/1.1 on a bare stream: one head out, one head in, and the body of a refusal.

use std::io::{self, ErrorKind};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    request::Parts,
};

use crate::ws::handshake::has_token;

/// The bytes of a request without a body.
pub(super) fn to_wire(head: &Parts) -> Vec<u8> {
    let target = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut bytes = format!("GET {target} HTTP/1.1\r\n").into_bytes();
    for (name, value) in &head.headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        // A `HeaderValue` has no line breaks, so none can be smuggled in.
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// A response head and its length, once it is there.
pub(super) fn parse(bytes: &[u8]) -> io::Result<Option<(Response<()>, usize)>> {
    let invalid = |error| io::Error::new(ErrorKind::InvalidData, error);
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(len) = head.parse(bytes).map_err(invalid)? else {
        return Ok(None);
    };
    let mut response = Response::new(());
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
    *response.status_mut() =
        status.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "invalid status"))?;
    for header in head.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let value = HeaderValue::from_bytes(header.value);
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(Some((response, len)))
}

/// Where a body ends (RFC 9112, section 6.3).
pub(super) enum Framing {
    Chunked,
    Length(usize),
    UntilEnd,
}

impl Framing {
    pub(super) fn of(response: &Response<()>) -> Self {
        // They have no body, whatever their headers say.
        if let StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED = response.status() {
            return Self::Length(0);
        }
        let headers = response.headers();
        if has_token(headers, TRANSFER_ENCODING, "chunked") {
            return Self::Chunked;
        }
        let length = headers.get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        length.map_or(Self::UntilEnd, Self::Length)
    }

    /// Whether it was announced how much will come.
    pub(super) fn has_length(&self) -> bool {
        matches!(self, Self::Length(_))
    }

    /// Whether all of it has come, or `enough` bytes of it.
    pub(super) fn is_enough(&self, bytes: &[u8], enough: usize) -> bool {
        match self {
            Self::Chunked => {
                let (body, complete) = chunks(bytes);
                complete || body.len() >= enough
            }
            Self::Length(length) => bytes.len() >= enough.min(*length),
            Self::UntilEnd => bytes.len() >= enough,
        }
    }

    pub(super) fn decode(&self, mut bytes: Bytes) -> Bytes {
        match self {
            Self::Chunked => chunks(&bytes).0.freeze(),
            Self::Length(length) => {
                bytes.truncate(*length);
                bytes
            }
            Self::UntilEnd => bytes,
        }
    }
}

/// The contents of the chunks that are there, and whether the last of them is.
fn chunks(mut bytes: &[u8]) -> (BytesMut, bool) {
    let mut body = BytesMut::new();
    while let Ok(httparse::Status::Complete((at, size))) = httparse::parse_chunk_size(bytes) {
        if size == 0 {
            return (body, true);
        }
        let rest = &bytes[at..];
        let len = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        body.extend_from_slice(&rest[..len]);
        // The line break behind a chunk.
        bytes = rest.get(len + 2..).unwrap_or_default();
    }
    (body, false)
}

/// More headers than this are refused.
const MAX_HEADERS: usize = 100;
