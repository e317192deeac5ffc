//! The timers of one connection: none of them exists before it is needed.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use crate::rt::{BoxSleep, DynTimer, Timer};

/// A sleep that is made when it is first waited for.
#[derive(Default)]
pub(super) struct Alarm(Option<BoxSleep>);

impl Alarm {
    /// Ready once, `after` the first call since it was last ready or [reset](Self::reset). Never without a timer.
    pub(super) fn poll(
        &mut self,
        timer: Option<&DynTimer>,
        after: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.0.is_none() {
            self.0 = timer.map(|timer| timer.sleep(after));
        }
        let Some(sleep) = &mut self.0 else {
            return Poll::Pending;
        };
        let ready = sleep.as_mut().poll(cx);
        if ready.is_ready() {
            self.0 = None;
        }
        ready
    }

    pub(super) fn reset(&mut self) {
        self.0 = None;
    }
}

/// What hardly any connection waits for, most of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rare {
    /// The end of steady use.
    Doze,
    /// The close time-out.
    Deadline,
    /// The time for one message.
    Message,
    /// The second in which control frames are counted.
    Controls,
}

/// An [`Alarm`] for each of the [`Rare`] ones: as small as they can be until one is needed.
#[derive(Default)]
pub(super) struct RareAlarms(Option<Box<[Alarm; 4]>>);

impl RareAlarms {
    /// As [`Alarm::poll`].
    pub(super) fn poll(
        &mut self,
        which: Rare,
        timer: Option<&DynTimer>,
        after: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if timer.is_none() {
            return Poll::Pending;
        }
        let alarms = self.0.get_or_insert_default();
        let rings = alarms[which as usize].poll(timer, after, cx);
        if rings.is_ready() {
            self.shrink();
        }
        rings
    }

    pub(super) fn reset(&mut self, which: Rare) {
        let Some(alarms) = &mut self.0 else { return };
        if alarms[which as usize].0.take().is_some() {
            self.shrink();
        }
    }

    pub(super) fn reset_all(&mut self) {
        self.0 = None;
    }

    fn shrink(&mut self) {
        self.0
            .take_if(|alarms| alarms.iter().all(|alarm| alarm.0.is_none()));
    }
}
