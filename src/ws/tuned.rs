/// The setters of what a connection may cost and how long it may take: the same on all that make a socket.
///
/// For types with fields `settings: Arc<Settings>` and `timer: Option<DynTimer>`. What is given is the documentation of
/// `timer`.
macro_rules! tuned {
    ($(#[$timer:meta])*) => {
        /// Sets how much the peer may make this side hold.
        pub fn limits(mut self, limits: crate::ws::Limits) -> Self {
            std::sync::Arc::make_mut(&mut self.settings).limits = limits;
            self
        }

        /// Sets when the peer is pinged, and when it counts as dead. It needs a [timer](Self::timer).
        pub fn heartbeat(mut self, heartbeat: crate::ws::Heartbeat) -> Self {
            std::sync::Arc::make_mut(&mut self.settings).heartbeat = heartbeat;
            self
        }

        /// Sets how long the closing handshake may take before the transport is dropped; 5 s by default. It needs a
        /// [timer](Self::timer). Without one, a peer that sends 16 MiB and no close frame is not waited for.
        pub fn close_timeout(mut self, time: std::time::Duration) -> Self {
            std::sync::Arc::make_mut(&mut self.settings).close_timeout = time;
            self
        }

        $(#[$timer])*
        pub fn timer<T>(mut self, timer: T) -> Self
        where
            T: crate::rt::Timer + Send + Sync + 'static,
            T::Sleep: Send + 'static,
        {
            self.timer = Some(crate::rt::DynTimer::new(timer));
            self
        }
    };
}
pub(in crate::ws) use tuned;
