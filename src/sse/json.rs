use std::{error, fmt};

use serde::Serialize;

use super::{DataWriter, Event};

impl Event {
    /// An event whose data is `value` as JSON, written straight into the encoding.
    ///
    /// ```
    /// use tower_realtime::sse::{Encoded, Event};
    ///
    /// # fn main() -> Result<(), tower_realtime::sse::JsonError> {
    /// let event = Event::json(&[1, 2, 3])?;
    /// assert_eq!(Encoded::from(event).as_bytes(), "data: [1,2,3]\n\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If `value` cannot be serialized, for instance because a key of a map is no text.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonError> {
        let mut data = DataWriter::new();
        serde_json::to_writer(&mut data, value).map_err(JsonError)?;
        Ok(data.into_event())
    }
}

/// A value has no form in JSON.
///
/// [`Event::json`] fails with it, for instance for a map whose keys are no strings:
///
/// ```
/// use std::collections::HashMap;
/// use tower_realtime::sse::{Event, JsonError};
///
/// let strange = HashMap::from([(vec![1, 2], "list")]);
/// let error: JsonError = Event::json(&strange).expect_err("a list is no key");
/// println!("{error}");
/// ```
#[derive(Debug)]
pub struct JsonError(serde_json::Error);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the data of an event cannot be written as JSON")
    }
}

impl error::Error for JsonError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.0)
    }
}
