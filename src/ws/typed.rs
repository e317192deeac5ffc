use std::{fmt, marker::PhantomData};

use super::{CloseCode, CloseFrame, Closed, Error, Message, WebSocket};
use crate::BoxError;

/// Makes values of messages.
///
/// [`Typed`] has an example.
pub trait Decode {
    /// What a message becomes.
    type Value;

    /// The value of a message.
    ///
    /// # Errors
    ///
    /// When the message is not what it should be.
    fn decode(message: Message) -> Result<Self::Value, BoxError>;
}

/// Makes messages of values.
///
/// [`Typed`] has an example.
pub trait Encode {
    /// What becomes a message.
    type Value: ?Sized;

    /// The message of a value.
    ///
    /// # Errors
    ///
    /// When the value can't be encoded.
    fn encode(value: &Self::Value) -> Result<Message, BoxError>;
}

/// A [`WebSocket`] whose messages are values.
///
/// Made by [`WebSocket::typed`]. A message that can't be decoded closes the connection with 1007, unless
/// [`on_invalid`](Self::on_invalid) says otherwise.
///
/// The feature `json` brings `Json`, a format for both directions. Others implement [`Decode`] and [`Encode`]:
///
/// ```
/// use tower_realtime::{BoxError, ws::{self, Decode, Encode, Message, WebSocket}};
///
/// struct Number;
///
/// impl Decode for Number {
///     type Value = u64;
///     fn decode(message: Message) -> Result<u64, BoxError> {
///         Ok(message.as_text().unwrap_or_default().parse()?)
///     }
/// }
///
/// impl Encode for Number {
///     type Value = u64;
///     fn encode(value: &u64) -> Result<Message, BoxError> {
///         Ok(value.to_string().into())
///     }
/// }
///
/// async fn double(socket: WebSocket) -> Result<(), ws::Error> {
///     let mut socket = socket.typed::<Number, Number>();
///     while let Some(number) = socket.recv().await? {
///         socket.send(&number.saturating_mul(2)).await?;
///     }
///     Ok(())
/// }
/// ```
///
/// A peer that sends nonsense can be forgiven, and what has no type is still there:
///
/// ```
/// # use tower_realtime::{BoxError, ws::{self, CloseCode, Decode, Encode, Message, Typed}};
/// async fn patient<D: Decode, E: Encode>(socket: Typed<D, E>) -> Result<(), ws::Error> {
///     let mut socket = socket.on_invalid(|error| {
///         println!("passed over: {error}");
///         None
///     });
///     while socket.recv().await?.is_some() {}
///     socket.get_mut().send("no more numbers").await?;
///     socket.close(CloseCode::NORMAL).await;
///     drop(socket.into_inner());
///     Ok(())
/// }
/// ```
pub struct Typed<D, E> {
    socket: WebSocket,
    on_invalid: Option<OnInvalid>,
    formats: PhantomData<fn(D, E)>,
}

type OnInvalid = Box<dyn FnMut(BoxError) -> Option<CloseFrame> + Send>;

impl WebSocket {
    /// Sends and receives values instead of messages: `D` decodes, `E` encodes.
    ///
    /// [`Typed`] has an example.
    #[must_use]
    pub fn typed<D: Decode, E: Encode>(self) -> Typed<D, E> {
        Typed {
            socket: self,
            on_invalid: None,
            formats: PhantomData,
        }
    }
}

impl<D: Decode, E: Encode> Typed<D, E> {
    /// Decides about messages that can't be decoded: with a frame the connection is closed, with `None` the message
    /// is passed over.
    #[must_use]
    pub fn on_invalid(
        mut self,
        decide: impl FnMut(BoxError) -> Option<CloseFrame> + Send + 'static,
    ) -> Self {
        self.on_invalid = Some(Box::new(decide));
        self
    }

    /// The next value; `None` when the connection has ended.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::recv`], and when a message could not be decoded and the connection is closed for it.
    ///
    /// # Cancel safety
    ///
    /// Safe: a message is taken by the call that returns its value, or not at all.
    pub async fn recv(&mut self) -> Result<Option<D::Value>, Error> {
        while let Some(message) = self.socket.recv().await? {
            let error = match D::decode(message) {
                Ok(value) => return Ok(Some(value)),
                Err(error) => error,
            };
            let frame = match &mut self.on_invalid {
                Some(decide) => decide(error),
                None => Some(CloseFrame::new(CloseCode::INVALID_DATA).reason("invalid message")),
            };
            if let Some(frame) = frame {
                let code = frame.code();
                self.socket.begin_close(frame);
                return Err(Error::fault(
                    code,
                    "a message that is not what it should be",
                ));
            }
        }
        Ok(None)
    }

    /// Queues the message of a value.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`], and [`Error::is_encode`] when the value can't be encoded.
    ///
    /// # Cancel safety
    ///
    /// As for [`WebSocket::send`].
    pub async fn send(&mut self, value: &E::Value) -> Result<(), Error> {
        let message = E::encode(value).map_err(Error::encode)?;
        self.socket.send(message).await
    }

    /// See [`WebSocket::close`].
    ///
    /// # Cancel safety
    ///
    /// The close goes on without it, as far as the socket is driven.
    pub async fn close(&mut self, frame: impl Into<Option<CloseFrame>>) -> Closed {
        self.socket.close(frame).await
    }

    /// The socket below, for what has no type.
    pub const fn get_mut(&mut self) -> &mut WebSocket {
        &mut self.socket
    }

    /// The socket below.
    #[must_use]
    pub fn into_inner(self) -> WebSocket {
        self.socket
    }
}

impl<D, E> fmt::Debug for Typed<D, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
