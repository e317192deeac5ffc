//! A machine that runs over a transport, and the test as its peer.

use std::{pin::Pin, time::Duration};

use super::script::{Clock, Far, Near, Run, transport};

pub(super) type Machine<T> = Pin<Box<dyn Future<Output = T>>>;

/// The test's side of a machine that ends with a `T`.
pub(super) struct Peer<T> {
    /// `None` once it was dropped.
    pub(super) run: Option<Run<Machine<T>>>,
    pub(super) far: Far,
    pub(super) clock: Clock,
    /// All that the machine has written.
    pub(super) written: Vec<u8>,
}

impl<T> Peer<T> {
    pub(super) fn of(machine: impl FnOnce(Near, &Clock) -> Machine<T>) -> Self {
        let (near, far) = transport();
        let clock = Clock::default();
        Self {
            run: Some(Run::new(machine(near, &clock))),
            far,
            clock,
            written: Vec::new(),
        }
    }

    pub(super) fn go(&mut self) {
        if let Some(run) = &mut self.run {
            run.go();
        }
        self.written.extend(self.far.written());
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.far.send(bytes);
        self.go();
    }

    /// Goes on for longer than anything may wait.
    pub(super) fn wait_out(&mut self) {
        self.go();
        for _ in 0..120 {
            self.clock.turn(Duration::from_secs(1));
            self.go();
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.run.as_ref().is_none_or(Run::is_done)
    }
}
