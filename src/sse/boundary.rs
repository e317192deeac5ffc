/// Where in an event stream the last byte stands, so that something else may be written behind it.
///
/// It looks only at the last bytes of a chunk: the cost of [`push`](Self::push) doesn't depend on the chunk's length.
///
/// ```
/// use tower_realtime::sse::Boundary;
///
/// let mut boundary = Boundary::new();
/// boundary.push(b"data: 1\r");
/// assert!(!boundary.admits_comment()); // an LF may follow, and would end the event early
/// boundary.push(b"\n");
/// assert!(boundary.admits_comment());
/// assert!(!boundary.between_events());
/// boundary.push(b"\n");
/// assert!(boundary.between_events());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary(At);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At the start of a line; `fresh` if the line before was blank, or there was none.
    Start { fresh: bool },
    /// Within a line.
    Line,
    /// Behind a CR, to which an LF may still belong; `fresh` if it ended a blank line.
    Cr { fresh: bool },
}

impl Boundary {
    /// The start of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self(At::Start { fresh: true })
    }

    /// Takes notice of the next bytes of the stream.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        // From anywhere, and how nearly every chunk ends.
        if bytes.ends_with(b"\n\n") {
            self.0 = At::Start { fresh: true };
        } else {
            self.walk(bytes);
        }
    }

    #[inline(never)]
    fn walk(&mut self, bytes: &[u8]) {
        // Three line-end bytes lead to one state from anywhere, and any other byte leads to `Line`.
        let tail = match bytes.len().checked_sub(3) {
            Some(skip @ 1..) => &bytes[skip..],
            _ => bytes,
        };
        for byte in tail {
            self.0 = self.0.next(*byte);
        }
    }

    /// Whether a comment line can be written here without changing what the stream says.
    ///
    /// Not within a line. Not behind a CR that ends a line of an event: if an LF follows, it would be read as a blank
    /// line and end the event early. Behind a CR that ends a blank line that LF does no harm.
    #[must_use]
    pub const fn admits_comment(self) -> bool {
        matches!(self.0, At::Start { .. } | At::Cr { fresh: true })
    }

    /// Whether the event before is complete and the next one has not begun.
    #[must_use]
    pub const fn between_events(self) -> bool {
        matches!(self.0, At::Start { fresh: true } | At::Cr { fresh: true })
    }
}

impl Default for Boundary {
    fn default() -> Self {
        Self::new()
    }
}

impl At {
    const fn next(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Cr { fresh }, b'\n') => Self::Start { fresh },
            (Self::Start { .. }, b'\n') => Self::Start { fresh: true },
            (Self::Start { .. } | Self::Cr { .. }, b'\r') => Self::Cr { fresh: true },
            (Self::Line, b'\n') => Self::Start { fresh: false },
            (Self::Line, b'\r') => Self::Cr { fresh: false },
            _ => Self::Line,
        }
    }
}
