use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use super::Upgraded;

/// The connection below a request, once HTTP lets go of it.
///
/// Lives in the extensions of a request (on a server) or of a response (on a client). Clones share one upgrade:
/// who polls it to its end has it.
#[derive(Clone)]
pub struct OnUpgrade(Arc<Mutex<Option<Pending>>>);

type Pending = Pin<Box<dyn Future<Output = io::Result<Upgraded>> + Send>>;

impl OnUpgrade {
    /// Wraps a future of the connection. It is ready once the head of the answer has been written.
    #[must_use]
    pub fn new(connection: impl Future<Output = io::Result<Upgraded>> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::pin(connection)))))
    }
}

impl Future for OnUpgrade {
    type Output = io::Result<Upgraded>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(connection) = pending.as_mut() else {
            return Poll::Ready(Err(io::Error::other("the upgrade was taken already")));
        };
        let result = connection.as_mut().poll(cx);
        if result.is_ready() {
            *pending = None;
        }
        result
    }
}

impl fmt::Debug for OnUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnUpgrade").finish_non_exhaustive()
    }
}
