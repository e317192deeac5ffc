//! Moves messages between the queues and the transport.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Waker},
    time::Instant,
};

use futures_io::{AsyncRead, AsyncWrite};

use super::{
    clock::{Alarm, RareAlarms},
    closing::Closing,
    feed::Feed,
    inspector::{Data, Inspector},
    io::{End, Io},
    line::Line,
    params::{Params, Role, Settings},
    shared::Shared,
    spare::Spare,
    wire::{Batch, Budget, Read, Wire},
    writing::Sent,
};
use crate::{
    lifecycle::{EndReason, StreamGuard, StreamKind},
    rt::DynTimer,
    ws::{
        CloseCode, CloseFrame, Message, deflate::DeflateIo, heartbeat::Pulse, outgoing::Outgoing,
    },
};

/// Drives one connection: reads into the inbox, writes from the outbox, keeps time, and closes.
///
/// It is polled beside the handler, or by the handle itself, or on its own after a split.
pub(super) struct Driver<T> {
    pub(super) shared: Shared,
    pub(super) wire: Wire<T>,
    pub(super) role: Role,
    pub(super) settings: Arc<Settings>,
    pub(super) timer: Option<DynTimer>,
    /// What was taken out of the outbox, and the number of messages queued up to its last one.
    pub(super) tx: Line<Outgoing>,
    pub(super) mark: u64,
    /// The number of messages up to which all were encoded before `tx` was taken, and up to which all have left.
    pub(super) before: u64,
    pub(super) flushed: u64,
    /// The last frame of data that was encoded was not the last one of its message.
    pub(super) fragmenting: bool,
    /// Something was encoded and has not been flushed.
    pub(super) dirty: bool,
    /// The transport takes no more for now.
    pub(super) blocked: bool,
    /// Messages and bytes that went either way since the task last waited.
    pub(super) moved: (u32, u32),
    /// In steady use: stays awake until this rings after a time without use.
    pub(super) alert: bool,
    pub(super) used: bool,
    /// Ordered to end at once: a handler that still runs is not waited for.
    pub(super) forced: bool,
    pub(super) phase: Phase,
    pub(super) rares: RareAlarms,
    pub(super) beat: Alarm,
    pub(super) pulse: Pulse,
    pub(super) ping: Ping,
    pub(super) feed: Option<Feed>,
    pub(super) guard: Option<StreamGuard>,
    /// Why the connection ends, for the statistics; the first one to know decides.
    pub(super) reason: Option<EndReason>,
}

/// How far the connection is.
#[derive(Debug)]
pub(super) enum Phase {
    Open,
    // Boxed, what is there only at the end.
    /// The peer's part has ended like this, and the handler may still answer what came before.
    Answering(Box<End>),
    Closing(Box<Closing>),
    Ended,
}

#[derive(Debug, Default)]
pub(super) struct Ping {
    pub(super) due: bool,
    /// Boxed: hardly ever is a pong awaited.
    pub(super) sent: Option<Box<Instant>>,
    pub(super) count: u32,
}

/// What is to be done after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another turn.
    Again,
    /// Nothing, until the task is woken. (When a budget was spent, it has been already.)
    Wait,
    /// The connection has ended.
    Ended,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    pub(super) fn new(transport: T, mut params: Params) -> Self {
        if let Some(guard) = &mut params.guard {
            guard.start(StreamKind::WebSocket);
        }
        let settings = params.settings;
        let agreed = params.deflate.as_ref();
        let transport = DeflateIo::new(transport, params.role, agreed, &settings.limits.below());
        // The fragments of a compressed message are counted where they can be seen: below.
        let inspector = Inspector::new(params.role == Role::Server, agreed.is_none());
        Self {
            shared: Shared::new(&settings.limits, params.protocol),
            wire: Wire::Asleep(Io::new(transport, inspector, Arc::clone(&settings))),
            role: params.role,
            timer: params.timer,
            tx: Line::new(),
            mark: 0,
            before: 0,
            flushed: 0,
            fragmenting: false,
            dirty: false,
            blocked: false,
            moved: (0, 0),
            alert: false,
            used: false,
            forced: false,
            phase: Phase::Open,
            rares: RareAlarms::default(),
            beat: Alarm::default(),
            pulse: Pulse::new(&settings.heartbeat),
            ping: Ping::default(),
            feed: None,
            guard: params.guard,
            reason: None,
            settings,
        }
    }

    /// Drives on its own, without a handler beside it. Whether this task waits for what has been done: it is not
    /// woken, but awake.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let (mut input, mut output) = (Budget::new(), Budget::new());
        let mut due = false;
        self.begin();
        loop {
            due |= self.read(cx, &mut input);
            due |= self.write(cx, &mut output);
            match self.park(cx, &input, &output, false) {
                Next::Again => {}
                Next::Wait => return due,
                Next::Ended => {
                    self.end_guard();
                    return due;
                }
            }
        }
    }

    /// The task has been polled: nobody needs to wake it.
    pub(super) fn begin(&self) {
        self.shared.lock().driver = None;
    }

    /// Fills the inbox. Whether this task waits for what has come.
    pub(super) fn read(&mut self, cx: &mut Context<'_>, budget: &mut Budget) -> bool {
        if !matches!(self.phase, Phase::Open) {
            return false;
        }
        let room = {
            let mut state = self.shared.lock();
            if state.parts.is_some() {
                drop(state);
                if let Some(due) = self.read_parts(cx, budget) {
                    return due;
                }
                state = self.shared.lock();
            }
            if std::mem::take(&mut state.declined) {
                if let Some(io) = self.wire.io() {
                    io.decline();
                }
            }
            if state.stalled && !state.may_read() {
                return false;
            }
            state.inbox.room(&state.bounds)
        };
        let mut batch = Batch::new(room);
        let mut heard = false;
        let stop = loop {
            if !batch.has_room() {
                break Read::Spent;
            }
            match self.wire.read(cx, budget, &mut heard) {
                Read::Passed => {
                    if let Err(end) = self.wire.decode(&mut batch, budget) {
                        break Read::End(end);
                    }
                }
                Read::Data(Data::Message(message)) => {
                    batch.reserve(message.len());
                    batch.push(message);
                }
                stop => break stop,
            }
        };
        if heard {
            self.pulse.heard();
        }
        let due = self.deliver(batch, &stop, cx);
        if let Read::End(end) = stop {
            self.input_ended(end);
        }
        due
    }

    /// Puts messages into the inbox. Whether this task waits for them.
    fn deliver(&mut self, batch: Batch, stop: &Read, cx: &mut Context<'_>) -> bool {
        let (mut rx, mut bytes) = (batch.messages, batch.bytes);
        let count = rx.len();
        let offer = self.offer(stop);
        if count > 0 {
            self.pulse.used();
            self.note_moved(count, bytes);
            self.count(|guard| guard.received(count as u64, bytes as u64));
        }
        let mut state = self.shared.lock();
        state.stalled = matches!(stop, Read::Spent | Read::Held);
        let news = state.offer(offer, &mut rx, &mut bytes);
        if rx.is_empty() && !news {
            return false;
        }
        state.inbox.append(&mut rx, bytes);
        if state.deaf {
            state.turn_deaf();
        }
        if !state.outbox.has_memory() {
            // There may be an answer to each.
            state.outbox.lend(Outgoing::borrow());
        }
        let receiver = state.receiver.take();
        drop(state);
        Message::give_back(rx);
        receiver.is_some_and(|waker| wake(waker, cx))
    }

    /// Empties the outbox and flushes once. Whether this task waits for what that made possible.
    pub(super) fn write(&mut self, cx: &mut Context<'_>, budget: &mut Budget) -> bool {
        if !matches!(self.phase, Phase::Open | Phase::Answering(_)) {
            return false;
        }
        self.load();
        let mut sent = Sent::default();
        if let Err(end) = self.encode(cx, &mut sent) {
            self.lost(end);
            return true;
        }
        budget.spend(sent.entries, sent.bytes);
        self.unload(&sent, cx)
    }

    /// Takes what the outbox holds.
    pub(super) fn load(&mut self) {
        let mut state = self.shared.lock();
        if let Some(feed) = state.feed.take() {
            self.feed = Some(feed);
        }
        if self.tx.is_empty() && !state.outbox.is_empty() {
            state.outbox.swap(&mut self.tx);
            self.before = std::mem::replace(&mut self.mark, state.queued);
            let bytes = state.outbox.bytes() as u64;
            drop(state);
            self.count(|guard| guard.queued(bytes));
        }
    }

    /// What was encoded has left the outbox. Whether this task waits for that.
    pub(super) fn unload(&mut self, sent: &Sent, cx: &mut Context<'_>) -> bool {
        if sent.entries > 0 {
            self.pulse.used();
            self.note_moved(sent.messages, sent.bytes);
            self.count(|guard| guard.sent(sent.messages as u64, sent.bytes as u64));
        }
        let mut state = self.shared.lock();
        state.outbox.release(sent.entries, sent.bytes);
        state.blocked = self.blocked;
        let flushed = state.flushed != self.flushed;
        state.flushed = self.flushed;
        let roomy = sent.entries > 0 && state.outbox.is_half_empty(&state.bounds);
        if !flushed && !roomy || state.waiters.is_empty() {
            return false;
        }
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        wake_all(waiters, cx)
    }

    /// Decides what comes after a turn. With `due`, the handler waits for something that has come already: it has its
    /// turn also when the input's budget is spent, but not when the output's is. One that always has something to
    /// send must not keep the thread from the others.
    pub(super) fn park(
        &mut self,
        cx: &mut Context<'_>,
        input: &Budget,
        output: &Budget,
        due: bool,
    ) -> Next {
        self.obey(cx);
        match self.phase {
            Phase::Open | Phase::Answering(_) => self.keep_time(cx),
            Phase::Closing(_) => return self.poll_closing(cx),
            Phase::Ended => return Next::Ended,
        }
        if input.is_spent() && !due {
            cx.waker().wake_by_ref();
            return Next::Wait;
        }
        // Nothing is let go of before it is sure that there is time to.
        if due || self.has_turn() {
            return again(output, cx);
        }
        self.rest(cx);
        let mut state = self.shared.lock();
        if state.has_work() {
            return again(output, cx);
        }
        if !self.alert {
            // What no thread keeps is freed.
            state.inbox.spare().into_iter().for_each(Message::give_back);
            state
                .outbox
                .spare()
                .into_iter()
                .for_each(Outgoing::give_back);
        }
        state.driver = Some(cx.waker().clone());
        Next::Wait
    }

    /// Whether there is something to do that does not wait for others.
    fn has_turn(&mut self) -> bool {
        let mut state = self.shared.lock();
        let close = match state.close.take() {
            None if state.handles == 0 => Some(Some(CloseFrame::new(CloseCode::NORMAL))),
            close => close.map(|frame| *frame),
        };
        if let Some(frame) = close {
            drop(state);
            self.close_locally(frame);
            return true;
        }
        if state.may_answer_end() {
            drop(state);
            self.answer_end();
            return true;
        }
        self.ping.due && !self.blocked
            || state.has_work()
            || !matches!(self.phase, Phase::Open | Phase::Answering(_))
    }
}

impl<T> Drop for Driver<T> {
    /// Handles that live longer must not wait for ever.
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

impl<T> fmt::Debug for Driver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("role", &self.role)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

/// Another turn, in this poll if there is something left of its budget.
fn again(output: &Budget, cx: &Context<'_>) -> Next {
    if output.is_spent() {
        cx.waker().wake_by_ref();
        return Next::Wait;
    }
    Next::Again
}

/// Wakes another task. Whether it is this one, which is awake.
pub(super) fn wake(waker: Waker, cx: &Context<'_>) -> bool {
    let own = waker.will_wake(cx.waker());
    if !own {
        waker.wake();
    }
    own
}

fn wake_all(waiters: Vec<Waker>, cx: &Context<'_>) -> bool {
    let mut own = false;
    for waker in waiters {
        own |= wake(waker, cx);
    }
    own
}
