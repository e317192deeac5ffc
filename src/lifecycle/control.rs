use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    time::Duration,
};

use http::Extensions;

use super::EndReason;
use crate::rt::{DynTimer, Task};

/// The order to end a stream, as its owner gets it from [`StreamGuard::poll_close`](super::StreamGuard::poll_close).
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Why, for the statistics.
    pub reason: EndReason,
    /// How much of a hurry there is.
    pub pace: Pace,
    /// The close code that a WebSocket sends.
    pub code: u16,
    /// The text beside the close code; at most 123 bytes reach the wire.
    pub text: Cow<'static, str>,
    /// After what time the client should come back: the `retry:` of an event stream. Jittered already.
    pub retry: Option<Duration>,
}

/// How much of a hurry there is to end a stream.
///
/// They are in the order of their hurry:
///
/// ```
/// use tower_realtime::lifecycle::Pace;
///
/// assert!(Pace::Gentle < Pace::Prompt && Pace::Prompt < Pace::Forced);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// An event that has begun may be finished; a WebSocket closes with its handshake.
    Gentle,
    /// No further byte of an event; a WebSocket still closes with its handshake.
    Prompt,
    /// At once, in whatever state.
    Forced,
}

/// Ends one stream from outside, from any task.
///
/// The layers of [`crate::layers`] put it into the extensions of every request, so a handler finds it there. It
/// is cheap to clone, and once the stream has ended it does nothing.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex};
/// use tower_realtime::lifecycle::StreamControl;
///
/// #[derive(Default)]
/// struct Sessions(Mutex<HashMap<u64, Vec<StreamControl>>>);
///
/// impl Sessions {
///     fn opened(&self, user: u64, control: StreamControl) {
///         let mut sessions = self.0.lock().unwrap();
///         let streams = sessions.entry(user).or_default();
///         streams.retain(|stream| !stream.is_ended());
///         streams.push(control);
///     }
///
///     fn log_out(&self, user: u64) {
///         for stream in self.0.lock().unwrap().remove(&user).unwrap_or_default() {
///             stream.revoke("logged out"); // WebSockets close with 1008, event streams end
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct StreamControl(pub(super) Arc<Life>);

impl StreamControl {
    /// The control of the stream that a request asks for, if a layer of this crate is around the handler.
    ///
    /// ```
    /// use axum::extract::Request;
    /// use tower_realtime::lifecycle::StreamControl;
    ///
    /// async fn answer(request: Request) {
    ///     if let Some(stream) = StreamControl::of(request.extensions()) {
    ///         stream.finish_first(); // a drain waits for this answer
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get::<Self>().cloned()
    }

    /// Ends the stream now: an event stream without another byte, a WebSocket with 1008 and `reason`.
    ///
    /// If the request has not become a stream yet, the stream ends as it begins.
    pub fn revoke(&self, reason: impl Into<Cow<'static, str>>) {
        let closing = Closing {
            reason: EndReason::Revoked,
            pace: Pace::Prompt,
            code: 1008,
            text: reason.into(),
            retry: None,
        };
        self.0.tell(|orders| orders.close = Some(closing));
    }

    /// Ends the stream when `entitlement` is ready, for instance at the expiry of its token.
    ///
    /// An event stream ends, a WebSocket closes with 1008. Another call replaces the future, as when a token was
    /// renewed.
    ///
    /// ```
    /// # use tower_realtime::lifecycle::StreamControl;
    /// # use std::time::Duration;
    /// fn authorized(stream: &StreamControl, token_lives: Duration) {
    ///     stream.expire_when(async move { tokio::time::sleep(token_lives).await });
    /// }
    /// ```
    pub fn expire_when(&self, entitlement: impl Future<Output = ()> + Send + 'static) {
        let entitlement: Task = Box::pin(entitlement);
        // What it replaces is foreign code: dropped after the lock.
        let _replaced = self.0.tell(|orders| {
            if orders.ended {
                return Some(entitlement); // nobody would wait for it
            }
            orders.expiry.replace(entitlement)
        });
    }

    /// Lets a drain wait for this stream to end by itself, until the drain's deadline.
    ///
    /// For an answer that ends anyway, as of a language model. What has not ended after nine tenths of the
    /// deadline is asked to, as others are at the start. Once a drain has begun it is too late to call this.
    pub fn finish_first(&self) {
        self.0.tell(|orders| orders.finish_first = true);
    }

    /// Whether the stream has ended, or its request has been answered with something else.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.0.lock().ended
    }
}

impl fmt::Debug for StreamControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamControl").finish_non_exhaustive()
    }
}

/// What others tell the owner of a stream.
///
/// It is also the waker of the stream's timers, so that they are looked at when one of them has rung, and not
/// whenever the stream is polled.
#[derive(Default)]
pub(crate) struct Life {
    /// Whether `orders` has something new, or a timer has rung: spares the owner the lock, and its timers.
    told: AtomicBool,
    orders: Mutex<Orders>,
}

#[derive(Default)]
pub(super) struct Orders {
    pub(super) close: Option<Closing>,
    pub(super) expiry: Option<Task>,
    pub(super) drain: Option<DrainOrder>,
    pub(super) finish_first: bool,
    pub(super) ended: bool,
    waker: Option<Waker>,
}

/// A drain as one stream sees it.
pub(super) struct DrainOrder {
    pub(super) timer: DynTimer,
    /// When it is this stream's turn.
    pub(super) after: Duration,
    /// When its time is over.
    pub(super) deadline: Duration,
    pub(super) closing: Closing,
}

impl Life {
    fn lock(&self) -> MutexGuard<'_, Orders> {
        // Nothing panics while it is held; were it so, the orders would still be whole.
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the orders and wakes the owner.
    pub(super) fn tell<T>(&self, change: impl FnOnce(&mut Orders) -> T) -> T {
        let mut orders = self.lock();
        let result = change(&mut orders);
        self.told.store(true, Ordering::Release);
        let waker = orders.waker.clone();
        drop(orders); // a waker may run anything
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// The owner's task changed.
    pub(super) fn listen(&self, waker: Waker) {
        let _replaced = self.lock().waker.replace(waker);
    }

    /// Whether the owner has to look.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    /// The owner has to look once more, as it is on its way to do.
    pub(super) fn look_again(&self) {
        self.told.store(true, Ordering::Relaxed);
    }

    /// What is new for the owner, if anything is.
    pub(super) fn news<T>(&self, read: impl FnOnce(&mut Orders) -> T) -> Option<T> {
        if !self.has_news() {
            return None;
        }
        let mut orders = self.lock();
        self.told.store(false, Ordering::Relaxed);
        Some(read(&mut orders))
    }

    /// The owner is gone.
    pub(super) fn end(&self) {
        let mut orders = self.lock();
        orders.ended = true;
        let _dropped = (orders.waker.take(), orders.expiry.take());
        drop(orders);
    }
}

impl Wake for Life {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.tell(|_| ());
    }
}
