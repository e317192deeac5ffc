use std::{fmt, marker::PhantomData};

use serde::{Serialize, de::DeserializeOwned};

use super::{Decode, Encode, Message};
use crate::BoxError;

/// JSON in text messages, for [`WebSocket::typed`](super::WebSocket::typed). Binary messages are taken for JSON as
/// well, since some clients send nothing else.
///
/// ```
/// use tower_realtime::ws::{Decode, Encode, Json, Message};
///
/// let message = Json::encode(&[1, 2, 3])?;
/// assert_eq!(message, Message::from("[1,2,3]"));
/// assert_eq!(Json::<Vec<u8>>::decode(message)?, [1, 2, 3]);
/// # Ok::<(), tower_realtime::BoxError>(())
/// ```
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tower_realtime::ws::{self, Json, WebSocket};
///
/// #[derive(Deserialize)]
/// struct Question { id: u64, text: String }
///
/// #[derive(Serialize)]
/// struct Answer { id: u64, length: usize }
///
/// async fn answer(socket: WebSocket) -> Result<(), ws::Error> {
///     let mut socket = socket.typed::<Json<Question>, Json<Answer>>();
///     while let Some(Question { id, text }) = socket.recv().await? {
///         socket.send(&Answer { id, length: text.len() }).await?;
///     }
///     Ok(())
/// }
/// ```
pub struct Json<T: ?Sized>(PhantomData<fn(&T)>);

impl<T: DeserializeOwned> Decode for Json<T> {
    type Value = T;

    fn decode(message: Message) -> Result<T, BoxError> {
        Ok(serde_json::from_slice(message.as_bytes())?)
    }
}

impl<T: Serialize + ?Sized> Encode for Json<T> {
    type Value = T;

    fn encode(value: &T) -> Result<Message, BoxError> {
        Ok(serde_json::to_string(value)?.into())
    }
}

impl<T: ?Sized> fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json")
    }
}
