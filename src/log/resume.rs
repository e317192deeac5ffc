//! Ids as epoch and position, and what an id that comes back is worth. Pure.

use std::{fmt, str::FromStr};

/// Where an event stands in its log, written `epoch-index`.
///
/// The epoch says which life of the log the index counts in, so that an id from before a restart is a gap and not a
/// wrong match. In a log in memory the epoch is random and the index counts from one; in Redis both are the
/// stream's own id, milliseconds and a sequence number. Positions of one log are in the order of its events.
///
/// ```
/// use tower_realtime::log::Position;
///
/// let position: Position = "7-42".parse()?;
/// assert_eq!((position.epoch(), position.index()), (7, 42));
/// assert!(position < Position::new(7, 43));
/// # Ok::<(), tower_realtime::log::InvalidPosition>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    epoch: u64,
    index: u64,
}

impl Position {
    /// A position of these two halves.
    #[must_use]
    pub const fn new(epoch: u64, index: u64) -> Self {
        Self { epoch, index }
    }

    /// The first half.
    #[must_use]
    pub const fn epoch(self) -> u64 {
        self.epoch
    }

    /// The second half.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.index)
    }
}

/// The text is no [`Position`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPosition(());

impl fmt::Display for InvalidPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a position is two decimal numbers with a hyphen between them")
    }
}

impl std::error::Error for InvalidPosition {}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, index) = text.split_once('-').ok_or(InvalidPosition(()))?;
        Ok(Self::new(number(epoch)?, number(index)?))
    }
}

/// Only what `Display` writes: `u64::from_str` would take `+1` and `01` as well, and an id would have two texts.
fn number(text: &str) -> Result<u64, InvalidPosition> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    let number = text.parse().ok().filter(|_| canonical);
    number.ok_or(InvalidPosition(()))
}

/// Why an event stream can't go on where its client left off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gap {
    /// The id is of another log, or of an earlier life of this one.
    Foreign,
    /// The id is not signed for this log.
    Forged,
    /// The id was not given to any event yet.
    Future,
    /// Events after the id were dropped, by number, size or age.
    TooOld,
    /// The text was never an id of a log.
    Unreadable,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "the id is of another log or of an earlier life of this one",
            Self::Forged => "the id is not signed for this log",
            Self::Future => "the id was not given to any event yet",
            Self::TooOld => "events after the id are not kept any longer",
            Self::Unreadable => "the text is no id of a log",
        })
    }
}

impl std::error::Error for Gap {}

/// The position in the text of an id, which has to begin with `tag` where the log's ids are signed.
pub(super) fn parse(text: &str, tag: Option<&str>) -> Result<Position, Gap> {
    let position = match tag {
        None => text,
        Some(tag) => match text.split_once('-') {
            Some((claimed, position)) if same(claimed, tag) => position,
            _ => return Err(Gap::Forged),
        },
    };
    position.parse().map_err(|_| Gap::Unreadable)
}

/// Takes as long for every wrong tag of the right length, so that none can be found byte by byte.
fn same(a: &str, b: &str) -> bool {
    let differing = a
        .bytes()
        .zip(b.bytes())
        .fold(0, |acc, (a, b)| acc | (a ^ b));
    a.len() == b.len() && differing == 0
}

/// What a log in memory holds, in indices: everything after `lost` up to `newest`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) epoch: u64,
    pub(super) lost: u64,
    pub(super) newest: u64,
}

impl Window {
    /// Whether a client that has seen the event at `last` can go on with the one behind it.
    pub(super) const fn place(&self, last: Position) -> Result<u64, Gap> {
        if last.epoch != self.epoch {
            Err(Gap::Foreign)
        } else if last.index > self.newest {
            Err(Gap::Future)
        } else if last.index < self.lost {
            Err(Gap::TooOld)
        } else {
            Ok(last.index)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_text() {
        for ok in ["0-0", "1-2", "18446744073709551615-18446744073709551615"] {
            assert_eq!(ok.parse::<Position>().unwrap().to_string(), ok);
        }
        #[rustfmt::skip]
        let bad = ["", "-", "1", "1-", "-1", "1-2-3", "+1-2", "01-2", "1-02", " 1-2", "1-2 ", "1--2", "a-b", "00-0",
            "18446744073709551616-0", "1-١"];
        for bad in bad {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_id_has_its_answer() {
        let window = Window {
            epoch: 7,
            lost: 3,
            newest: 5,
        };
        #[rustfmt::skip]
        let rows: [(&str, Option<&str>, Result<u64, Gap>); 13] = [
            ("7-2",      None,        Err(Gap::TooOld)),
            ("7-3",      None,        Ok(3)),
            ("7-4",      None,        Ok(4)),
            ("7-5",      None,        Ok(5)),
            ("7-6",      None,        Err(Gap::Future)),
            ("6-4",      None,        Err(Gap::Foreign)),
            ("8-4",      None,        Err(Gap::Foreign)),
            ("hello",    None,        Err(Gap::Unreadable)),
            ("tag-7-4",  None,        Err(Gap::Unreadable)),
            ("tag-7-4",  Some("tag"), Ok(4)),
            ("gat-7-4",  Some("tag"), Err(Gap::Forged)),
            ("7-4",      Some("tag"), Err(Gap::Forged)),
            ("tag-7",    Some("tag"), Err(Gap::Unreadable)),
        ];
        for (id, tag, expected) in rows {
            let placed = parse(id, tag).and_then(|last| window.place(last));
            assert_eq!(placed, expected, "{id}");
        }
    }
}
