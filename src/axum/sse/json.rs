use axum_core::Error;
use serde::Serialize;

use super::Event;
use crate::sse::Event as Inner;

impl Event {
    /// Sets the data to `data` as JSON.
    ///
    /// ```
    /// use tower_realtime::{axum::sse::Event, sse::Encoded};
    ///
    /// # fn main() -> Result<(), axum::Error> {
    /// let event = Event::default().json_data([1, 2, 3])?;
    /// assert_eq!(Encoded::from(event).as_bytes(), "data: [1,2,3]\n\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If `data` cannot be serialized.
    pub fn json_data<T: Serialize>(self, data: T) -> Result<Self, Error> {
        let data = Inner::json(&data).map_err(Error::new)?;
        Ok(Self(self.0.with_data_of(data)))
    }
}
