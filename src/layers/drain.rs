use std::sync::Arc;

use tower_layer::Layer;

use super::{
    LifecycleService,
    answer::Answer,
    part::{Note, Part},
    refuses::refuses,
};
use crate::lifecycle::{Drain, Refusal, StreamGuard};

/// Makes the streams of a service part of a [`Drain`].
///
/// ```
/// use axum::Router;
/// use tower_realtime::{lifecycle::Drain, rt::Tokio};
///
/// async fn run(app: Router, listener: tokio::net::TcpListener) -> std::io::Result<()> {
///     let drain = Drain::new(Tokio);
///     let (app, stop) = (app.layer(drain.layer()), drain.clone());
///     axum::serve(listener, app)
///         .with_graceful_shutdown(async move {
///             tokio::signal::ctrl_c().await.ok(); // and SIGTERM: see the guide on shutting down
///             stop.start();
///         })
///         .await?;
///     let report = drain.finished().await; // upgraded sockets outlive the server
///     println!("{} streams ended, {} were forced", report.closed, report.forced);
///     Ok(())
/// }
/// ```
///
/// Single routes can say otherwise, within the layer of the whole server:
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::{layers::DrainLayer, lifecycle::Drain, rt::Tokio};
///
/// let drain = Drain::new(Tokio);
/// let answers = DrainLayer::new(&drain).finish_first(); // they end by themselves
/// let events = DrainLayer::new(&drain).refuse_as_event_stream().retry_after(Duration::from_secs(10));
/// # let _ = (answers, events);
/// ```
#[derive(Clone, Debug)]
pub struct DrainLayer {
    drain: Drain,
    finish_first: bool,
    answer: Answer,
}

impl DrainLayer {
    /// Streams behind it end when `drain` starts.
    #[must_use]
    pub fn new(drain: &Drain) -> Self {
        Self {
            drain: drain.clone(),
            finish_first: false,
            answer: Answer::default(),
        }
    }

    /// Lets streams come to their own end, for routes whose streams have one, such as the answers of a language
    /// model. What still runs after nine tenths of the deadline is ended like the others.
    ///
    /// It may be put around single routes, within the layer of the whole server.
    #[must_use]
    pub const fn finish_first(mut self) -> Self {
        self.finish_first = true;
        self
    }

    refuses!();
}

impl Drain {
    /// The layer that makes the streams of a service part of this drain.
    #[must_use]
    pub fn layer(&self) -> DrainLayer {
        DrainLayer::new(self)
    }
}

impl<S> Layer<S> for DrainLayer {
    type Service = LifecycleService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LifecycleService::new(inner, Arc::new(self.clone()))
    }
}

impl Part for DrainLayer {
    fn admit(&self, _: &Note, guard: &mut StreamGuard) -> Result<(), Refusal> {
        if self.finish_first {
            guard.control().finish_first();
        }
        self.drain.join(guard)
    }

    fn answer(&self) -> Answer {
        self.answer
    }
}
