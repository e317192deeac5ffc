use std::fmt;

/// What a handler of a WebSocket may return: nothing, or a [`Result`].
///
/// A handler that ends closes the connection with 1000; one that fails closes it with 1011. What went wrong is
/// traced, and not told to the peer.
///
/// ```
/// use tower_realtime::ws::{self, Outcome, WebSocket};
///
/// async fn ignores(mut socket: WebSocket) {
///     let _ = socket.send("hello").await;
/// }
///
/// async fn tells(mut socket: WebSocket) -> Result<(), ws::Error> {
///     socket.send("hello").await
/// }
///
/// assert_eq!(().failure(), None);
/// assert_eq!(Err::<(), _>("no room").failure(), Some("no room".to_owned()));
/// ```
pub trait Outcome {
    /// What went wrong, if something did.
    fn failure(self) -> Option<String>;
}

impl Outcome for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Display> Outcome for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}
