use std::{fmt, io};

use super::{Event, encode};

/// The data of an event, written piece by piece into its encoding.
///
/// Any serializer can write to it. Line breaks may come anywhere, and become lines of the event. What is no UTF-8
/// reaches the client as U+FFFD, because event streams are UTF-8.
///
/// ```
/// use std::io::Write;
/// use tower_realtime::sse::{DataWriter, Encoded};
///
/// # fn main() -> std::io::Result<()> {
/// let mut data = DataWriter::new();
/// write!(data, "{{\"n\":{}}}", 1)?;
/// assert_eq!(Encoded::from(data.into_event()).as_bytes(), "data: {\"n\":1}\n\n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DataWriter(Vec<u8>);

impl DataWriter {
    /// No data yet.
    #[must_use]
    pub fn new() -> Self {
        Self(encode::DATA.to_vec())
    }

    /// The event with what was written.
    #[must_use]
    pub fn into_event(self) -> Event {
        Event::from_prefixed(self.0)
    }
}

impl Default for DataWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl io::Write for DataWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(data);
        Ok(data.len())
    }

    fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Write for DataWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
