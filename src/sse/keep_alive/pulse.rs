/// Decides at each tick of a timer whether a stream has been silent for too long.
///
/// Somebody ticks it every half interval, and says when the stream was active. Silence then lasts more than half of
/// the interval and at most the whole, without a clock to read or a timer to reset for each event.
///
/// ```
/// use tower_realtime::sse::keep_alive::{Beat, Pulse};
///
/// let mut pulse = Pulse::new();
/// pulse.active();
/// assert_eq!(pulse.tick(), Beat::Silence); // there was an event
/// assert_eq!(pulse.tick(), Beat::Comment); // there was none since
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    active: bool,
}

/// What is to be done at a tick.
///
/// [`Pulse::tick`] says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else to do")]
pub enum Beat {
    /// Write a comment, and then call [`Pulse::active`].
    Comment,
    /// Write nothing.
    Silence,
}

impl Pulse {
    /// A stream that has just begun: its head counts as activity.
    #[must_use]
    pub const fn new() -> Self {
        Self { active: true }
    }

    /// Something was written.
    pub const fn active(&mut self) {
        self.active = true;
    }

    /// Half an interval has passed.
    pub const fn tick(&mut self) -> Beat {
        if self.active {
            self.active = false;
            Beat::Silence
        } else {
            Beat::Comment
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_lasts_more_than_half_an_interval_and_at_most_the_whole() {
        let mut pulse = Pulse::new();
        let mut comments = Vec::new();
        for half in 1..=8 {
            if half == 4 {
                pulse.active(); // an event between the third and the fourth tick
            }
            if pulse.tick() == Beat::Comment {
                comments.push(half);
                pulse.active();
            }
        }
        assert_eq!(comments, [2, 5, 7]);
    }
}
