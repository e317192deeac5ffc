//! Whether what a stream holds goes on where a client left off. Pure.

use super::wire::Look;
use crate::log::{Gap, Page, Position, Start, Stored};

/// At most `limit` events from `start` on, out of a look that began with the client's own event.
pub(super) fn of(look: Look, start: Start, limit: usize) -> Page {
    let mut events = look.entries;
    if let Start::After(last) = start {
        if let Some(gap) = gap(last, look.last, events.first()) {
            return Page {
                gap: Some(gap),
                ..Page::default()
            };
        }
        if events.first().is_some_and(|first| first.position() == last) {
            events.remove(0);
        }
    }
    let more = events.len() > limit;
    events.truncate(limit);
    Page {
        events,
        gap: None,
        more,
    }
}

/// It goes on if the client's event is there, or is the one before the first that is there, or is the last that ever
/// was.
fn gap(last: Position, newest: Position, first: Option<&Stored>) -> Option<Gap> {
    let goes_on = match first {
        Some(first) => first.position() == last || first.previous() == Some(last),
        None => newest == last,
    };
    match goes_on {
        true => None,
        false if last > newest => Some(Gap::Future),
        // Dropped, of another stream, or of this one before it lost its memory: the stream does not know which.
        false => Some(Gap::TooOld),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::{Encoded, Event};

    /// A stream that holds events 3 to 5, of which 2 came before.
    fn look(from: u64) -> Look {
        let event = Encoded::from(Event::empty());
        let stored = |n| Stored::new(Position::new(9, n), Some(Position::new(9, n - 1)), &event);
        Look {
            last: Position::new(9, 5),
            entries: (from.max(3)..=5).map(stored).collect(),
        }
    }

    #[test]
    fn every_position_has_its_answer() {
        #[rustfmt::skip]
        let rows: [(u64, Result<&[u64], Gap>); 6] = [
            (1, Err(Gap::TooOld)),
            (2, Ok(&[3, 4])),
            (3, Ok(&[4, 5])),
            (4, Ok(&[5])),
            (5, Ok(&[])),
            (6, Err(Gap::Future)),
        ];
        for (last, expected) in rows {
            let page = of(look(last), Start::After(Position::new(9, last)), 2);
            let events: Vec<_> = page
                .events
                .iter()
                .map(|stored| stored.position().index())
                .collect();
            assert_eq!(page.gap.map_or(Ok(&events[..]), Err), expected, "{last}");
            assert_eq!(page.more, last == 2);
        }
        let page = of(look(0), Start::Oldest, 2);
        assert_eq!((page.events.len(), page.more), (2, true));
    }

    #[test]
    fn a_stream_that_was_trimmed_to_nothing_still_knows_its_last() {
        let empty = |last| {
            of(
                Look {
                    entries: Vec::new(),
                    ..look(0)
                },
                Start::After(Position::new(9, last)),
                2,
            )
        };
        assert_eq!(empty(5).gap, None);
        assert_eq!(empty(4).gap, Some(Gap::TooOld));
    }
}
