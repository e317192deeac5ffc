use std::{pin::Pin, task::Context, time::Duration};

use super::{Closing, EndReason, Pace, control::DrainOrder};
use crate::rt::{BoxSleep, DynTimer, Task, Timer};

/// What ends the stream in time.
#[derive(Default)]
pub(super) struct Times {
    age: Age,
    expiry: Option<Task>,
    drain: Draining,
}

#[derive(Default)]
enum Age {
    #[default]
    None,
    Unarmed(DynTimer, Duration),
    Armed(BoxSleep),
}

#[derive(Default)]
enum Draining {
    #[default]
    No,
    /// Until its turn, which is this long after the start.
    Waiting(BoxSleep, Duration, DrainOrder),
    Closing(BoxSleep, Closing),
}

impl DrainOrder {
    fn turn(&self, finish_first: bool) -> Duration {
        if finish_first {
            self.deadline / 10 * 9
        } else {
            self.after
        }
    }
}

impl Times {
    pub(super) fn limit_age(&mut self, timer: DynTimer, age: Duration) {
        self.age = Age::Unarmed(timer, age);
    }

    /// Takes the future that ends the entitlement, in place of the one that is returned.
    pub(super) fn expire(&mut self, entitlement: Task) -> Option<Task> {
        self.expiry.replace(entitlement)
    }

    pub(super) fn drain(&mut self, order: DrainOrder, finish_first: bool) {
        let turn = order.turn(finish_first);
        self.drain = Draining::Waiting(order.timer.sleep(turn), turn, order);
    }

    /// What is due, if anything is.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Closing> {
        let closing = self.poll_age(cx);
        let closing = closing.or_else(|| self.poll_expiry(cx));
        closing.or_else(|| self.poll_drain(cx))
    }

    fn poll_age(&mut self, cx: &mut Context<'_>) -> Option<Closing> {
        if let Age::Unarmed(timer, age) = &self.age {
            self.age = Age::Armed(timer.sleep(*age));
        }
        let Age::Armed(sleep) = &mut self.age else {
            return None;
        };
        if !ready(sleep, cx) {
            return None;
        }
        self.age = Age::None;
        Some(Closing {
            reason: EndReason::Expired,
            pace: Pace::Gentle,
            code: 1001,
            text: "maximum age".into(),
            // Old streams end one by one, so there is nothing to spread.
            retry: Some(Duration::from_secs(1)),
        })
    }

    fn poll_expiry(&mut self, cx: &mut Context<'_>) -> Option<Closing> {
        let expiry = self.expiry.as_mut()?;
        if !ready(expiry, cx) {
            return None;
        }
        self.expiry = None;
        Some(Closing {
            reason: EndReason::Expired,
            pace: Pace::Prompt,
            code: 1008,
            text: "expired".into(),
            retry: None,
        })
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Option<Closing> {
        match &mut self.drain {
            Draining::No => None,
            Draining::Waiting(sleep, turn, order) => {
                if !ready(sleep, cx) {
                    return None;
                }
                let rest = order.deadline.saturating_sub(*turn);
                let closing = order.closing.clone();
                let forced = Closing {
                    pace: Pace::Forced,
                    ..closing.clone()
                };
                self.drain = Draining::Closing(order.timer.sleep(rest), forced);
                Some(closing)
            }
            Draining::Closing(sleep, forced) => {
                if !ready(sleep, cx) {
                    return None;
                }
                let forced = forced.clone();
                self.drain = Draining::No;
                Some(forced)
            }
        }
    }

    /// Once the stream is closing, only a drain's deadline is left.
    pub(super) fn relax(&mut self, pace: Pace) {
        self.age = Age::None;
        // What ends gently may stand in the middle of an event for long: it still ends when its entitlement does.
        if pace > Pace::Gentle {
            self.expiry = None;
        }
    }
}

fn ready(sleep: &mut Pin<Box<dyn Future<Output = ()> + Send>>, cx: &mut Context<'_>) -> bool {
    sleep.as_mut().poll(cx).is_ready()
}
