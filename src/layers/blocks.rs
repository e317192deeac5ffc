use memchr::memchr_iter;

/// Counts the blocks of an event stream that something else encoded, by their blank lines.
///
/// Lines that end with a bare CR are not counted: nobody writes them, and they would cost a second search.
#[derive(Default)]
pub(super) struct Blocks {
    /// What the line that is not ended yet has so far.
    line: Line,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Empty,
    /// A CR, which may be half of the line's end.
    Cr,
    Text,
}

impl Blocks {
    pub(super) fn count(&mut self, bytes: &[u8]) -> u64 {
        let (mut blocks, mut start) = (0, 0);
        for end in memchr_iter(b'\n', bytes) {
            let line = self.line.and(&bytes[start..end]);
            blocks += u64::from(line != Line::Text);
            self.line = Line::Empty;
            start = end + 1;
        }
        self.line = self.line.and(&bytes[start..]);
        blocks
    }
}

impl Line {
    const fn and(self, more: &[u8]) -> Self {
        match (self, more) {
            (_, []) => self,
            (Self::Empty, [b'\r']) => Self::Cr,
            _ => Self::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_alike_however_it_is_cut() {
        for (text, wanted) in [
            ("data: 1\n\ndata: 2\n\n", 2),
            ("data: 1\r\n\r\n:\r\n\r\n", 2),
            ("data: \r\r\n\n", 1),
            ("data: 1\ndata: 2\n", 0),
            ("", 0),
        ] {
            for cut in 0..=text.len() {
                let (a, b) = text.as_bytes().split_at(cut);
                let mut blocks = Blocks::default();
                assert_eq!(
                    blocks.count(a) + blocks.count(b),
                    wanted,
                    "{text:?} at {cut}"
                );
            }
        }
    }
}
