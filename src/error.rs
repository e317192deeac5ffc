//! What the whole crate shares of errors: one alias.

/// Any error, as `tower` and `hyper` pass them around.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
