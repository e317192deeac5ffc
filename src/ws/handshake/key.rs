//! `Sec-WebSocket-Key` and its proof.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::HeaderValue;
use sha1::{Digest, Sha1};

/// A key that is one: base64 of exactly 16 bytes, padded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a>(&'a [u8]);

impl<'a> Key<'a> {
    /// Checks the value of a `Sec-WebSocket-Key` header (RFC 6455, section 4.2.1, item 5).
    pub(crate) fn parse(value: &'a HeaderValue) -> Option<Self> {
        let text = value.as_bytes();
        let mut bytes = [0; 18];
        // 16 bytes are always 24 characters: this also bounds what is decoded.
        (text.len() == 24 && BASE64.decode_slice(text, &mut bytes) == Ok(16)).then_some(Self(text))
    }

    /// What proves to the client that this server speaks WebSocket.
    pub(crate) fn accept(self) -> HeaderValue {
        accept_value(self.0)
    }
}

/// The `Sec-WebSocket-Accept` for a key (RFC 6455, section 4.2.2, item 5.4).
pub(crate) fn accept_value(key: &[u8]) -> HeaderValue {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let text = BASE64.encode(hash.finalize());
    HeaderValue::try_from(text).expect("base64 is a valid header value")
}

/// Clients that fill 22 characters at random leave bits behind the last byte; RFC 4648, section 3.5, lets us
/// ignore them.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);
