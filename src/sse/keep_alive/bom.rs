use bytes::Bytes;

/// Drops a byte order mark at the start of a stream, however it is cut.
///
/// There it says nothing, but behind a comment it would be part of the next field's name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bom {
    /// How many of its bytes have come; all of them, once it is decided.
    seen: u8,
}

const BOM: &[u8] = "\u{FEFF}".as_bytes();

impl Bom {
    pub(super) const fn new() -> Self {
        Self { seen: 0 }
    }

    /// The start of a stream that is known to have no mark.
    pub(super) const fn none() -> Self {
        Self {
            seen: BOM.len() as u8,
        }
    }

    /// Whether the start of the stream has passed, so that chunks pass as they are.
    pub(super) const fn is_past(self) -> bool {
        self.seen as usize == BOM.len()
    }

    /// What of `chunk` is to be passed on, with bytes that were held back before it.
    pub(super) fn strip(&mut self, chunk: Bytes) -> Bytes {
        if self.is_past() {
            return chunk;
        }
        let seen = usize::from(self.seen);
        let (held, rest) = BOM.split_at(seen);
        let same = rest.iter().zip(&chunk).take_while(|(a, b)| a == b).count();
        if same == rest.len().min(chunk.len()) {
            self.seen += same as u8;
            return chunk.slice(same..);
        }
        self.seen = BOM.len() as u8;
        if held.is_empty() {
            return chunk;
        }
        [held, &chunk].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What passes of `stream`, cut at `cut`.
    fn passed(stream: &[u8], cut: usize) -> Vec<u8> {
        let mut bom = Bom::new();
        let (first, second) = stream.split_at(cut);
        [first, second]
            .map(|chunk| bom.strip(Bytes::copy_from_slice(chunk)))
            .concat()
    }

    #[test]
    fn drops_one_mark_at_the_start_however_it_is_cut() {
        for (stream, rest) in [
            (&b"\xEF\xBB\xBFdata"[..], &b"data"[..]),
            (b"\xEF\xBB\xBF\xEF\xBB\xBFx", b"\xEF\xBB\xBFx"),
            (b"data: \xEF\xBB\xBF", b"data: \xEF\xBB\xBF"),
            (b"\xEF\xBBdata", b"\xEF\xBBdata"),
            (b"\xEF\xEF\xBB\xBFdata", b"\xEF\xEF\xBB\xBFdata"),
            (b"\xEFdata", b"\xEFdata"),
        ] {
            for cut in 0..=stream.len() {
                assert_eq!(passed(stream, cut), rest, "{stream:?} cut at {cut}");
            }
        }
    }
}
