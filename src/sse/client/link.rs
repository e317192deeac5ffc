use std::{
    mem,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, response::Parts};

use crate::{
    lifecycle::{random, retry_after},
    rt::{BoxSleep, DynTimer, Timer},
    sse::{Decoder, Error, Limits, Text},
    trace::{debug, trace},
};

use super::{
    Attempt, ReadyState, Update,
    connect::{Connect, Connected, Connecting, Failure, Incoming, Sent},
    reading::{Reading, Watch},
    redirect::Detour,
    retry::{Next, Outcome, Retry},
};

/// Connects, reads, waits, and connects again.
pub(super) struct Link {
    connect: Connect,
    timer: DynTimer,
    state: State,
    pub(super) retry: Retry,
    pub(super) settings: Settings,
    /// The id to resume after, while there is no decoder that knows it.
    pub(super) last_event_id: Text,
    /// The idle time-out of the present connection.
    watch: Option<Watch>,
    sent: Sent,
    redirects: u8,
}

pub(super) struct Settings {
    pub(super) limits: Limits,
    pub(super) idle: Option<Duration>,
    pub(super) repeat: bool,
    pub(super) retry_if: RetryIf,
}

/// Whether an answer with another status than 200 is worth another attempt.
pub(super) type RetryIf = Box<dyn FnMut(&Response<Bytes>) -> bool + Send>;

enum State {
    /// The next poll connects.
    Idle,
    Connecting(Connecting),
    Open(Box<Reading>),
    Waiting(BoxSleep),
    /// It is over, and nobody was told.
    Closing(Option<Error>),
    Closed,
}

impl Link {
    pub(super) fn new(connect: Connect, timer: DynTimer) -> Self {
        Self {
            connect,
            timer,
            state: State::Idle,
            retry: Retry::new(),
            settings: Settings {
                limits: Limits::new(),
                idle: None,
                repeat: false,
                retry_if: Box::new(may_pass),
            },
            last_event_id: Text::new(),
            watch: None,
            sent: Sent::default(),
            redirects: 0,
        }
    }

    pub(super) fn ready_state(&self) -> ReadyState {
        match self.state {
            State::Idle | State::Connecting(_) | State::Waiting(_) => ReadyState::Connecting,
            State::Open(_) => ReadyState::Open,
            State::Closing(_) | State::Closed => ReadyState::Closed,
        }
    }

    pub(super) fn last_event_id(&self) -> &str {
        match &self.state {
            State::Open(reading) => reading.decoder().last_event_id(),
            _ => &self.last_event_id,
        }
    }

    /// Drops what there is, for good.
    pub(super) fn close(&mut self) {
        if self.ready_state() != ReadyState::Closed {
            self.leave(State::Closing(None));
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Update>> {
        loop {
            let update = match &mut self.state {
                State::Idle => {
                    self.start();
                    None
                }
                State::Connecting(attempt) => {
                    let mut done = attempt.as_mut().poll(cx);
                    if let (Poll::Pending, Some(watch)) = (&done, &mut self.watch) {
                        done = watch.poll(cx).map(|error| Err(Failure::Lost(error)));
                    }
                    self.connected(ready!(done))
                }
                State::Open(reading) => match ready!(reading.poll(cx, &mut self.watch)) {
                    Ok(message) => Some(Update::Message(message)),
                    Err(error) => {
                        let healthy = reading.was_good(&error, cx);
                        self.ended(error, healthy)
                    }
                },
                State::Waiting(sleep) => {
                    ready!(sleep.as_mut().poll(cx));
                    self.state = State::Idle;
                    None
                }
                State::Closing(cause) => {
                    let cause = cause.take();
                    self.state = State::Closed;
                    Some(Update::Closed { cause })
                }
                State::Closed => return Poll::Ready(None),
            };
            if update.is_some() {
                return Poll::Ready(update);
            }
        }
    }

    fn start(&mut self) {
        self.sent = Sent::default();
        self.redirects = 0;
        let time = self.settings.idle;
        self.watch = time.map(|time| Watch::new(&self.timer, time));
        self.ask(None);
    }

    fn ask(&mut self, detour: Option<Detour>) {
        let attempt = Attempt {
            failed: self.retry.failed(),
            last_event_id: self.last_event_id.clone(),
        };
        self.state = State::Connecting((self.connect)(attempt, detour, self.sent.clone()));
    }

    fn connected(&mut self, done: Result<Connected, Failure>) -> Option<Update> {
        match done {
            Ok(Connected::Stream(head, body)) => return Some(self.open(head, body)),
            Ok(Connected::Redirect(detour)) if self.redirects < REDIRECTS => {
                trace!(?detour, "following a redirect");
                self.redirects += 1;
                self.ask(Some(detour));
            }
            Ok(Connected::Redirect(_)) => {
                let response = Response::default();
                self.stop(Some(Error::redirect("there were 20 before it", response)));
            }
            Ok(Connected::Stop) => self.stop(None),
            Err(Failure::Lost(error)) => {
                return self.again(error, Outcome::Lost { healthy: false });
            }
            Err(Failure::Refused(error)) => return self.refused(error),
            Err(Failure::Final(error)) => self.stop(Some(error)),
        }
        None
    }

    fn open(&mut self, head: Parts, body: Incoming) -> Update {
        debug!(last_event_id = %self.last_event_id, "the event stream is open");
        if let Some(watch) = &mut self.watch {
            watch.active();
        }
        let decoder = Decoder::resume(self.last_event_id.clone()).limits(self.settings.limits);
        let healthy = self.retry.healthy_after();
        let healthy = (!healthy.is_zero()).then(|| self.timer.sleep(healthy));
        self.state = State::Open(Box::new(Reading::new(body, decoder, healthy)));
        Update::Open(head)
    }

    fn refused(&mut self, error: Error) -> Option<Update> {
        let worth = error.response().map(|response| {
            let worth = (self.settings.retry_if)(response);
            worth.then(|| retry_after(response.headers()))
        });
        match worth.flatten() {
            Some(after) => self.again(error, Outcome::Refused { after }),
            None => {
                self.stop(Some(error));
                None
            }
        }
    }

    /// The body has nothing more to give.
    fn ended(&mut self, error: Error, healthy: bool) -> Option<Update> {
        if error.is_too_large() {
            // The same would come again.
            self.stop(Some(error));
            return None;
        }
        self.again(error, Outcome::Lost { healthy })
    }

    /// Waits, then tries again, if that may be done at all.
    fn again(&mut self, error: Error, outcome: Outcome) -> Option<Update> {
        if self.sent.was_unrepeatable() && !self.settings.repeat {
            // The end of an answer to a POST is the end of what was asked for.
            self.stop((!error.is_end()).then_some(error));
            return None;
        }
        // What the stream has said of ids and of waiting counts for this wait already.
        self.leave(State::Idle);
        match self.retry.after(outcome, random()) {
            Next::Wait(after) => {
                debug!(?after, cause = %error, "connecting again");
                self.state = State::Waiting(self.timer.sleep(after));
                Some(Update::Reconnecting {
                    after,
                    cause: error,
                    failed: self.retry.failed(),
                })
            }
            Next::Stop => {
                self.stop(Some(Error::exhausted(error)));
                None
            }
        }
    }

    fn stop(&mut self, cause: Option<Error>) {
        debug!(?cause, "the event source is closed");
        self.leave(State::Closing(cause));
    }

    /// Moves on to `state`, and keeps what the stream has said.
    fn leave(&mut self, state: State) {
        self.watch = None;
        if let State::Open(reading) = mem::replace(&mut self.state, state) {
            let decoder = reading.decoder();
            self.last_event_id = Text::from(decoder.last_event_id());
            if let Some(wait) = decoder.retry() {
                self.retry.ask(wait);
            }
        }
    }
}

/// By default: the server is overloaded or broken, which passes. That the request is wrong does not.
fn may_pass(response: &Response<Bytes>) -> bool {
    response.status() == 429 || response.status().is_server_error()
}

/// As many as browsers follow (Fetch, HTTP-redirect fetch).
const REDIRECTS: u8 = 20;
