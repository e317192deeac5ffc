//! What the whole crate shares of errors.

use std::{error::Error, fmt};

/// Any error, as `tower` and `hyper` pass them around.
///
/// ```
/// use tower_realtime::BoxError;
///
/// fn port(text: &str) -> Result<u16, BoxError> {
///     Ok(text.parse()?)
/// }
/// assert!(port("three").is_err());
/// ```
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Stands in the chain of an error whose cause is a reader that fell behind: it may come back and start again.
///
/// It is what areas that may not know each other agree on.
#[derive(Debug)]
pub(crate) struct FellBehind(BoxError);

impl FellBehind {
    pub(crate) fn because(cause: impl Into<BoxError>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for FellBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader fell behind")
    }
}

impl Error for FellBehind {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
