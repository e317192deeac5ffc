use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
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

/// An upgrade that is promised now and handed over later, or never when this is dropped.
pub(crate) struct Promise(Arc<Mutex<Slot>>);

#[derive(Default)]
struct Slot {
    kept: Option<Upgraded>,
    broken: bool,
    waker: Option<Waker>,
}

/// An [`OnUpgrade`] with the means to fulfil it.
pub(crate) fn promise() -> (Promise, OnUpgrade) {
    let slot = Arc::new(Mutex::new(Slot::default()));
    let promise = Promise(Arc::clone(&slot));
    let connection = std::future::poll_fn(move |cx| {
        let mut slot = lock(&slot);
        match slot.kept.take() {
            Some(connection) => Poll::Ready(Ok(connection)),
            None if slot.broken => {
                Poll::Ready(Err(io::Error::other("the answer was not an upgrade")))
            }
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    });
    (promise, OnUpgrade::new(connection))
}

impl Promise {
    /// Hands the connection over.
    pub(crate) fn keep(self, connection: Upgraded) {
        lock(&self.0).kept = Some(connection);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let mut slot = lock(&self.0);
        slot.broken = true;
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Future for OnUpgrade {
    type Output = io::Result<Upgraded>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut pending = lock(&self.0);
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
