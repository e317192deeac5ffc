//! hyper's HTTP/2 connections as clients that wait for the server's consent.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::{
    body::Incoming,
    client::conn::http2::{Connection, SendRequest},
    ext::Protocol,
    rt::{Read, Write, bounds::Http2ClientConnExec},
};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{BoxError, rt::Timer};

/// A tower client over one HTTP/2 connection of hyper, which can open WebSockets.
///
/// A server says in its settings whether it knows extended CONNECT, and a client must not use it before (RFC 8441,
/// section 3). hyper knows when they have come, but sends all the same; this client lets a request for a WebSocket
/// wait for them, at most 5 s.
///
/// ```no_run
/// use bytes::Bytes;
/// use http_body_util::Empty;
/// use hyper_util::rt::{TokioExecutor, TokioIo};
/// use tower_realtime::{rt::Tokio, ws::{Connector, upgrade::Http2Client}};
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let stream = tokio::net::TcpStream::connect("localhost:3000").await?;
/// let (sender, connection) =
///     hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
/// let (client, connection) = Http2Client::new(sender, connection, Tokio);
/// tokio::spawn(connection);
/// let request = http::Request::get("ws://localhost:3000/chat").body(Empty::<Bytes>::new())?;
/// let (socket, _) = Connector::new().timer(Tokio).http2().connect(client, request).await?;
/// # drop(socket);
/// # Ok(())
/// # }
/// ```
pub struct Http2Client<B> {
    sender: SendRequest<B>,
    consent: Consent,
}

impl<B> Http2Client<B> {
    /// Takes both halves of hyper's handshake, and gives the connection back to be run.
    pub fn new<C, T: Timer>(
        sender: SendRequest<B>,
        connection: C,
        timer: T,
    ) -> (Self, Watched<C, T>) {
        let consent = Consent::default();
        let watched = Watched {
            connection,
            timer,
            sleep: None,
            looks: 0,
            end: End(consent.clone()),
        };
        (Self { sender, consent }, watched)
    }
}

impl<B> Service<Request<B>> for Http2Client<B>
where
    B: Body + Send + 'static,
{
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.sender.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut sender = self.sender.clone();
        let consent = self.consent.clone();
        Box::pin(async move {
            if request.extensions().get::<Protocol>().is_some() {
                std::future::poll_fn(|cx| consent.poll(cx)).await?;
            }
            Ok(sender.send_request(request).await?)
        })
    }
}

impl<B> Clone for Http2Client<B> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            consent: self.consent.clone(),
        }
    }
}

impl<B> fmt::Debug for Http2Client<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Client").finish_non_exhaustive()
    }
}

pin_project! {
    /// The connection of a [`Http2Client`]: spawn it.
    #[must_use = "a connection does nothing unless polled"]
    pub struct Watched<C, T: Timer> {
        #[pin]
        connection: C,
        timer: T,
        #[pin]
        sleep: Option<T::Sleep>,
        looks: u32,
        end: End,
    }
}

impl<IO, B, E, T> Future for Watched<Connection<IO, B, E>, T>
where
    IO: Read + Write + Unpin + 'static,
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    E: Http2ClientConnExec<B, IO> + Unpin,
    T: Timer,
{
    type Output = hyper::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let result = this.connection.as_mut().poll(cx);
        let consent = &this.end.0;
        // hyper reads in a task of its own and tells nobody about settings, so whoever waits has to look.
        while result.is_pending() && consent.is_waited_for(cx) {
            if this.connection.is_extended_connect_protocol_enabled() {
                consent.settle(State::Given);
                break;
            }
            if *this.looks > MAX_LOOKS {
                consent.settle(State::Gone);
                break;
            }
            if this.sleep.is_none() {
                *this.looks += 1;
                this.sleep.set(Some(this.timer.sleep(LOOK)));
            }
            if let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
                ready!(sleep.poll(cx).map(drop));
            }
            this.sleep.set(None);
        }
        result
    }
}

impl<C, T: Timer> fmt::Debug for Watched<C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

/// Whether the server has consented, shared by the client and its connection.
#[derive(Clone, Default)]
struct Consent(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    state: State,
    waiting: Vec<Waker>,
    connection: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    #[default]
    Awaited,
    Given,
    /// The connection ended without it, or too much time passed.
    Gone,
}

impl Consent {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let mut shared = self.lock();
        match shared.state {
            State::Given => Poll::Ready(Ok(())),
            State::Gone => Poll::Ready(Err(
                "the server does not offer WebSockets over HTTP/2".into()
            )),
            State::Awaited => {
                if !shared
                    .waiting
                    .iter()
                    .any(|waker| waker.will_wake(cx.waker()))
                {
                    shared.waiting.push(cx.waker().clone());
                }
                let connection = shared.connection.take();
                drop(shared);
                if let Some(connection) = connection {
                    connection.wake();
                }
                Poll::Pending
            }
        }
    }

    /// Whether the connection should look; when not, it is woken once it should.
    fn is_waited_for(&self, cx: &mut Context<'_>) -> bool {
        let mut shared = self.lock();
        let waited = shared.state == State::Awaited && !shared.waiting.is_empty();
        let connection = (!waited).then(|| cx.waker().clone());
        let _replaced = std::mem::replace(&mut shared.connection, connection);
        drop(shared);
        waited
    }

    /// Once given, it can't be taken back (RFC 8441, section 3).
    fn settle(&self, state: State) {
        let mut shared = self.lock();
        if shared.state == State::Awaited {
            shared.state = state;
            let wakers = std::mem::take(&mut shared.waiting);
            drop(shared);
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Dropped with the connection, however that ends.
struct End(Consent);

impl Drop for End {
    fn drop(&mut self) {
        self.0.settle(State::Gone);
    }
}

/// How often to look: the settings are the first that a server sends, usually within one round trip.
const LOOK: Duration = Duration::from_millis(5);

/// How often at most: 5 s.
const MAX_LOOKS: u32 = 1000;
