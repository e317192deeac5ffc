//! Header fields that are lists or must stand alone.

use http::header::{AsHeaderName, HeaderMap, HeaderValue};

/// The items of a list header, over all of its lines (RFC 9110, section 5.3). Empty items are none (5.6.1.2).
pub(crate) fn list(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|item| !item.is_empty())
}

/// Whether a list header has `token`, in any case, as a whole item.
pub(crate) fn has_token(headers: &HeaderMap, name: impl AsHeaderName, token: &str) -> bool {
    list(headers, name).any(|item| item.eq_ignore_ascii_case(token.as_bytes()))
}

/// A header that has to come at most once.
pub(crate) enum Only<'a> {
    Absent,
    One(&'a HeaderValue),
    Repeated,
}

pub(crate) fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Only<'_> {
    let mut lines = headers.get_all(name).into_iter();
    match (lines.next(), lines.next()) {
        (None, _) => Only::Absent,
        (Some(line), None) => Only::One(line),
        (Some(_), Some(_)) => Only::Repeated,
    }
}

/// A token of RFC 9110, section 5.6.2: what a protocol or a subprotocol may be called.
pub(crate) fn is_token(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}
