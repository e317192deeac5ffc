use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Whether the connection was given up because its client did not read.
///
/// Put into the extensions of the requests of a connection, it lets their streams end as
/// [`EndReason::Stalled`](super::EndReason::Stalled) instead of as disconnected.
///
/// [`StallGuard::signal`](crate::layers::StallGuard::signal) makes one. After its connection has ended it says why:
///
/// ```
/// use tower_realtime::lifecycle::StallSignal;
///
/// fn ended(signal: &StallSignal) -> &'static str {
///     if signal.is_set() { "the client stopped reading" } else { "the connection ended" }
/// }
/// # assert_eq!(ended(&StallSignal::default()), "the connection ended");
/// ```
#[derive(Clone, Debug, Default)]
pub struct StallSignal(Arc<AtomicBool>);

impl StallSignal {
    /// Says that the connection stalled.
    pub(crate) fn set(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether the connection stalled.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}

thread_local! {
    static TURN: Cell<Turn> = const { Cell::new(Turn::Unknown) };
    static DROPPING: Cell<bool> = const { Cell::new(false) };
}

/// What the body of a stream did in the current poll of the task that writes it.
///
/// The task is the HTTP stack's and opaque, and it does not poll the body when it can't write. So the two tell each
/// other through the thread: the body's poll happens within the task's poll, or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It was not polled.
    #[default]
    Unknown,
    /// It has nothing more to write at the moment.
    Waiting,
    /// It gave out a frame.
    Wrote,
}

impl Turn {
    /// Notes what the body did.
    pub(crate) fn note(self) {
        TURN.set(self);
    }

    /// What the body did while `run` ran.
    pub(crate) fn during<T>(run: impl FnOnce() -> T) -> (T, Self) {
        let before = TURN.replace(Self::Unknown);
        let result = run();
        (result, TURN.replace(before))
    }
}

/// Drops `task`, whose client did not read.
pub(crate) fn drop_stalled(task: impl FnOnce()) {
    struct Reset;

    impl Drop for Reset {
        fn drop(&mut self) {
            DROPPING.set(false);
        }
    }

    DROPPING.set(true);
    let _reset = Reset;
    task();
}

/// Whether what is being dropped is dropped because its client did not read.
pub(super) fn is_dropping() -> bool {
    DROPPING.get()
}
