use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

use crate::BoxError;

use super::{Decoder, Error, Message};

pin_project! {
    /// The messages of an event stream's body.
    ///
    /// It is over any [`Body`]: of a response, of a test, of a file. The end of the body is the end of the stream,
    /// and what the body fails with is an [`Error`] that [is about the body](Error::is_body), after which it ends
    /// as well. It looks at nothing but bytes: [`EventSource`](super::EventSource) also makes the request, checks
    /// the response, and connects again.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use futures_util::StreamExt;
    /// use http_body_util::Full;
    /// use tower_realtime::sse::EventStream;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let body = Full::<Bytes>::from(": hello\n\ndata: one\n\ndata: two\n\n");
    /// let mut messages = EventStream::new(body);
    /// assert_eq!(messages.next().await.expect("an event")?.data(), "one");
    /// assert_eq!(messages.next().await.expect("an event")?.data(), "two");
    /// assert!(messages.next().await.is_none());
    /// # Ok::<(), tower_realtime::sse::Error>(())
    /// # }).expect("all is there").expect("no error");
    /// ```
    ///
    /// To go on elsewhere, where the stream broke off:
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use futures_util::StreamExt;
    /// # use http_body_util::Full;
    /// use tower_realtime::sse::{Decoder, EventStream};
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let body = Full::<Bytes>::from("retry: 500\n\nid: 8\ndata: three\n\n");
    /// let mut messages = EventStream::with_decoder(body, Decoder::resume("7"));
    /// assert_eq!(messages.last_event_id(), "7");
    /// assert_eq!(messages.next().await.expect("an event")?.data(), "three");
    /// assert_eq!((messages.last_event_id(), messages.retry().expect("a wait").as_millis()), ("8", 500));
    /// # Ok::<(), tower_realtime::sse::Error>(())
    /// # }).expect("all is there").expect("no error");
    /// ```
    ///
    /// # Cancel safety
    ///
    /// A dropped `next()` loses nothing.
    #[derive(Debug)]
    pub struct EventStream<B> {
        #[pin]
        body: B,
        decoder: Decoder,
        ended: bool,
    }
}

impl<B> EventStream<B> {
    /// Reads messages from `body`.
    #[must_use]
    pub fn new(body: B) -> Self {
        Self::with_decoder(body, Decoder::new())
    }

    /// Reads messages from `body` with a decoder that has limits of its own, or goes on after another stream.
    #[must_use]
    pub fn with_decoder(body: B, decoder: Decoder) -> Self {
        Self {
            body,
            decoder,
            ended: false,
        }
    }

    /// The id to resume after, of the last block that has ended. Empty while there is none.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// How long the server wants a client to wait before it connects again, if it has said so.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.decoder.retry()
    }

    /// The body.
    #[must_use]
    pub fn get_ref(&self) -> &B {
        &self.body
    }

    /// The body. What is read from it is missing here.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut B {
        &mut self.body
    }

    /// The body, without what was read ahead.
    #[must_use]
    pub fn into_inner(self) -> B {
        self.body
    }
}

impl<S> EventStream<StreamBody<S>> {
    /// Reads messages from a stream of bytes, such as other HTTP clients hand out.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use futures_util::{StreamExt, stream};
    /// use tower_realtime::sse::EventStream;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let bytes = stream::iter([Ok::<_, std::io::Error>("data: o"), Ok("ne\n\n")]);
    /// let mut messages = EventStream::from_stream(bytes.map(|chunk| chunk.map(Bytes::from)));
    /// assert_eq!(messages.next().await.expect("an event")?.data(), "one");
    /// # Ok::<(), tower_realtime::sse::Error>(())
    /// # }).expect("all is there").expect("no error");
    /// ```
    #[must_use]
    pub fn from_stream<D, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<D, E>>,
        D: Buf,
        E: Into<BoxError>,
    {
        Self::new(StreamBody { stream })
    }
}

impl<B> Stream for EventStream<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        for _ in 0..FRAMES {
            if !this.decoder.is_used_up() {
                if this.decoder.is_at_data() || this.decoder.skip_to_data() {
                    let memory = this.decoder.memory();
                    if let Some(data) = this.decoder.take_line() {
                        return Poll::Ready(Some(Ok(Message::of_data(memory, data))));
                    }
                } else if this.decoder.is_at_joined() {
                    let memory = this.decoder.take_joined();
                    this.decoder.look_ahead();
                    return Poll::Ready(Some(Ok(Message::of_all(memory))));
                }
                match this.decoder.seek() {
                    Some(Ok(())) => return Poll::Ready(Some(Ok(this.decoder.take_found()))),
                    Some(Err(error)) => {
                        *this.ended = true;
                        return Poll::Ready(Some(Err(error)));
                    }
                    None => {}
                }
            }
            if *this.ended {
                return Poll::Ready(None);
            }
            match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => push(this.decoder, frame),
                Poll::Ready(Some(Err(error))) => {
                    *this.ended = true;
                    return Poll::Ready(Some(Err(Error::body(error))));
                }
                Poll::Ready(None) => *this.ended = true,
                Poll::Pending => {
                    this.decoder.release();
                    return Poll::Pending;
                }
            }
        }
        // A body that is always ready and says nothing must not keep the task for itself.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

pin_project! {
    /// A stream of bytes as a [`Body`], made by [`EventStream::from_stream`].
    #[derive(Debug)]
    pub struct StreamBody<S> {
        #[pin]
        stream: S,
    }
}

impl<S, D, E> Body for StreamBody<S>
where
    S: Stream<Item = Result<D, E>>,
    D: Buf,
{
    type Data = D;
    type Error = E;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<D>, E>>> {
        let next = ready!(self.project().stream.poll_next(cx));
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }
}

/// Gives the data of a frame to the decoder. Trailers say nothing here.
fn push<D: Buf>(decoder: &mut Decoder, frame: Frame<D>) {
    if let Ok(mut data) = frame.into_data() {
        let bytes: Bytes = data.copy_to_bytes(data.remaining());
        decoder.push_bytes(bytes);
    }
}

/// How many frames without an event are read before others get their turn.
const FRAMES: usize = 256;
