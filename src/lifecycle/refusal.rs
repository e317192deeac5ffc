use std::{fmt, time::Duration};

use http::StatusCode;

/// Why a stream was not let in. It is in the extensions of the answer, for those who count or log.
///
/// ```
/// use http::Response;
/// use tower_realtime::lifecycle::Refusal;
///
/// /// In a layer around those of this crate.
/// fn count<B>(response: &Response<B>) {
///     match response.extensions().get::<Refusal>() {
///         Some(refusal @ Refusal::Rate { wait }) => println!("{}: {refusal} for {wait:?}", refusal.status()),
///         Some(refusal) => println!("{}: {refusal}", refusal.status()),
///         None => {}
///     }
/// }
/// # count(&Response::new(()));
/// assert_eq!(Refusal::KeyLimit.status(), 429);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The server drains: 503.
    Draining,
    /// The key, for instance the user, has as many streams as it may: 429.
    KeyLimit,
    /// Too many streams begin: 503.
    Rate {
        /// How long until one more may begin.
        wait: Duration,
    },
    /// The server has as many streams as it may: 503.
    TotalLimit,
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::KeyLimit => StatusCode::TOO_MANY_REQUESTS,
            Self::Draining | Self::Rate { .. } | Self::TotalLimit => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draining => "the server is draining",
            Self::KeyLimit => "too many streams of this client",
            Self::Rate { .. } => "too many new streams",
            Self::TotalLimit => "too many streams",
        })
    }
}

impl std::error::Error for Refusal {}
