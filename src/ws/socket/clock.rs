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

/// An [`Alarm`] that hardly any connection waits for: as small as it can be until then.
#[derive(Default)]
pub(super) struct RareAlarm(Option<Box<Alarm>>);

impl RareAlarm {
    /// As [`Alarm::poll`].
    pub(super) fn poll(
        &mut self,
        timer: Option<&DynTimer>,
        after: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if timer.is_none() {
            return Poll::Pending;
        }
        let rings = self.0.get_or_insert_default().poll(timer, after, cx);
        if rings.is_ready() {
            self.0 = None;
        }
        rings
    }

    pub(super) fn reset(&mut self) {
        self.0 = None;
    }
}
