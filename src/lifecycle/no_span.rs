use super::{StreamEnd, StreamInfo};

/// The span of a stream when `tracing` is off: nothing.
#[derive(Clone, Debug)]
pub(crate) struct Span;

impl Span {
    pub(crate) const fn none() -> Self {
        Self
    }

    #[expect(
        clippy::missing_const_for_fn,
        reason = "the twin of a function that cannot be"
    )]
    pub(crate) fn of(_: &StreamInfo) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "the twin of a function that needs it")]
    pub(crate) const fn is_disabled(&self) -> bool {
        true
    }

    pub(crate) fn enter(&self) -> Entered {
        Entered
    }

    pub(crate) fn end(&self, _: &StreamEnd) {}
}

/// Has a destructor, as its twin has, so that binding it to a name is no mistake in either.
pub(crate) struct Entered;

impl Drop for Entered {
    fn drop(&mut self) {}
}
