/// The setters of how a layer refuses a stream: the same on all that do. For types with a field `answer: Answer`.
macro_rules! refuses {
    () => {
        /// How long refused clients are told to wait, in `Retry-After`: between this and its double. 5 s by default.
        #[must_use]
        pub const fn retry_after(mut self, wait: std::time::Duration) -> Self {
            self.answer.retry_after = wait;
            self
        }

        /// Refuses event streams with an empty one that says when to come back, instead of with a status.
        ///
        /// The `EventSource` of browsers gives up for good on any status but 200. Choose this where browsers can
        /// still reach a server that refuses: it is full, or it drains but its listener is open or its connection is
        /// kept.
        #[must_use]
        pub const fn refuse_as_event_stream(mut self) -> Self {
            self.answer.as_event_stream = true;
            self
        }
    };
}
pub(super) use refuses;
