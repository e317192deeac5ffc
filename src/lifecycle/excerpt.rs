//! The first of what a server says when it refuses: mostly, what is wrong.

use std::{
    fmt,
    future::{pending, ready},
    pin::pin,
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::future::{Either, select};
use http::Response;
use http_body::Body;
use http_body_util::BodyExt;

use crate::rt::{BoxSleep, DynTimer, Timer};

/// How much of a refusal is kept.
pub(crate) const EXCERPT: usize = 4096;

/// How long it may take to come.
const TIME: Duration = Duration::from_secs(2);

/// How long to wait for it: 2 s, and no longer than `most`.
///
/// Without a clock, it is worth waiting for a body whose length was announced, and it mostly came with the head.
/// Others may be endless, as event streams are, and what is there of them has to do.
pub(crate) fn patience(timer: Option<&DynTimer>, most: Duration, has_length: bool) -> BoxSleep {
    match timer {
        Some(timer) => timer.sleep(TIME.min(most)),
        None if has_length => Box::pin(pending()),
        None => Box::pin(ready(())),
    }
}

/// The answer with the first of its body, as far as it has come when patience ends.
pub(crate) async fn excerpt<R: Body>(
    response: Response<R>,
    timer: Option<&DynTimer>,
    most: Duration,
) -> Response<Bytes> {
    let (head, body) = response.into_parts();
    let mut enough = patience(timer, most, body.size_hint().exact().is_some());
    let mut body = pin!(body);
    let mut start = BytesMut::new();
    // A frame without a byte counts as one, or a flood of them would have no end.
    for _ in 0..EXCERPT {
        let room = EXCERPT - start.len();
        if room == 0 {
            break;
        }
        let Either::Left((Some(Ok(frame)), _)) = select(body.frame(), &mut enough).await else {
            break;
        };
        if let Ok(data) = frame.into_data() {
            start.put(bytes::Buf::take(data, room));
        }
    }
    Response::from_parts(head, start.freeze())
}

/// The first words of an excerpt behind a colon, to be read by people. They are a stranger's: what is no text is
/// replaced, and what would move a cursor or change the direction of writing is escaped.
pub(crate) struct Words<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0);
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        match text.char_indices().nth(WORDS) {
            Some((end, _)) => write!(f, ": {:?}…", &text[..end]),
            None => write!(f, ": {text:?}"),
        }
    }
}

/// As many characters are shown.
const WORDS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_strangers() {
        let long = "ä".repeat(WORDS);
        for (bytes, want) in [
            (&b""[..], String::new()),
            (b" \r\n", String::new()),
            (b"no entry\n", ": \"no entry\"".to_owned()),
            (b"\x1b[2J\0\x07", ": \"\\u{1b}[2J\\0\\u{7}\"".to_owned()),
            ("\u{202e}x".as_bytes(), ": \"\\u{202e}x\"".to_owned()),
            (b"a\r\nb\xff\"", ": \"a\\r\\nb\u{fffd}\\\"\"".to_owned()),
            (long.as_bytes(), format!(": {long:?}")),
            (format!("{long}b").as_bytes(), format!(": {long:?}…")),
        ] {
            assert_eq!(Words(bytes).to_string(), want);
        }
    }
}
