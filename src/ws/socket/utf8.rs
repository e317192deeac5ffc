//! UTF-8 that comes in pieces, and fails at the first byte that can't be part of it. Pure.

/// Checks a text whose pieces end anywhere, also inside of a character.
#[derive(Clone, Debug, Default)]
pub(super) struct Utf8Check {
    /// The bytes of a character that has begun and is valid so far.
    begun: [u8; 4],
    len: u8,
}

/// The text is not UTF-8, whatever follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid;

impl Utf8Check {
    /// Takes the next piece.
    pub(super) fn push(&mut self, mut piece: &[u8]) -> Result<(), Invalid> {
        while self.len > 0 {
            let Some((&byte, rest)) = piece.split_first() else {
                return Ok(());
            };
            piece = rest;
            self.complete(byte)?;
        }
        match std::str::from_utf8(piece) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(Invalid),
            Err(error) => {
                let tail = &piece[error.valid_up_to()..];
                self.begun[..tail.len()].copy_from_slice(tail);
                self.len = tail.len() as u8;
                Ok(())
            }
        }
    }

    /// Whether the text may end here, not inside of a character.
    pub(super) const fn may_end(&self) -> bool {
        self.len == 0
    }

    /// How many bytes at the end belong to a character that is not whole.
    pub(super) const fn begun(&self) -> usize {
        self.len as usize
    }

    fn complete(&mut self, byte: u8) -> Result<(), Invalid> {
        self.begun[usize::from(self.len)] = byte;
        self.len += 1;
        match std::str::from_utf8(&self.begun[..usize::from(self.len)]) {
            Ok(_) => self.len = 0,
            Err(error) if error.error_len().is_some() => return Err(Invalid),
            Err(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, and at which byte it fails.
    const ROWS: [(&[u8], Option<usize>); 10] = [
        (b"plain", None),
        ("é€𝄞x".as_bytes(), None),
        (b"a\xc3", None),
        (b"\xf4\x90\x80\x80", Some(1)),
        (b"\xed\xa0\x80", Some(1)),
        (b"\xc0\x80", Some(0)),
        (b"\x80", Some(0)),
        (b"\xf0\x9f\x92\xff", Some(3)),
        (b"ok\xf5", Some(2)),
        (b"\xe2\x82x", Some(2)),
    ];

    #[test]
    fn fails_at_the_first_impossible_byte_however_it_is_cut() {
        for (text, fails) in ROWS {
            for cut in 0..=text.len() {
                let mut check = Utf8Check::default();
                let (head, tail) = text.split_at(cut);
                let first = check.push(head);
                assert_eq!(
                    first.is_err(),
                    fails.is_some_and(|at| at < cut),
                    "{text:x?} {cut}"
                );
                if first.is_ok() {
                    assert_eq!(
                        check.push(tail).is_err(),
                        fails.is_some(),
                        "{text:x?} {cut}"
                    );
                }
            }
            assert_eq!(fails.is_none() && text.last() == Some(&0xc3), {
                let mut check = Utf8Check::default();
                check.push(text).is_ok() && !check.may_end()
            });
        }
    }
}
