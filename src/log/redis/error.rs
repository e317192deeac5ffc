use std::{error, fmt};

use crate::{BoxError, trace::warn};

/// Why Redis could not be asked, or did not do it.
///
/// ```
/// use tower_realtime::{log::redis::{Error, RedisStream}, log::EventLog, sse::Event};
///
/// async fn order(log: &EventLog<RedisStream>) -> Result<(), Error> {
///     match log.try_publish(Event::new("9 apples")).await {
///         Err(error) if error.may_be_published() => Ok(()), // in doubt, rather not twice
///         Err(error) if error.is_unreachable() || error.is_refused() => Err(error),
///         published => published.map(drop),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    source: BoxError,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Config,
    /// It was tried as often as was allowed.
    Unreachable {
        unknown: bool,
    },
    Refused,
}

/// One attempt that failed.
pub(super) struct Fault {
    /// Another attempt may go better.
    pub(super) retry: bool,
    /// It may have been done all the same.
    pub(super) unknown: bool,
    pub(super) source: BoxError,
}

impl Fault {
    pub(super) fn tell(&self, what: &str) {
        warn!(error = %self.source, "{what}");
        let _ = what;
    }
}

impl Error {
    pub(super) fn config(source: BoxError) -> Self {
        Self::new(Kind::Config, source)
    }

    /// The last fault, and whether one of all may have done it.
    pub(super) fn after(fault: Fault, unknown: bool) -> Self {
        let kind = match fault.retry {
            true => Kind::Unreachable { unknown },
            false => Kind::Refused,
        };
        Self::new(kind, fault.source)
    }

    fn new(kind: Kind, source: BoxError) -> Self {
        Self(Box::new(Inner { kind, source }))
    }

    /// Whether no connection held for long enough, all attempts included.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self.0.kind, Kind::Unreachable { .. })
    }

    /// Whether Redis said no: a wrong password, a missing permission, no memory left.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self.0.kind, Kind::Refused)
    }

    /// Whether an event that was to be published may be in the log all the same, because an answer got lost.
    ///
    /// Publishing it again may then have it there twice.
    #[must_use]
    pub const fn may_be_published(&self) -> bool {
        matches!(self.0.kind, Kind::Unreachable { unknown: true })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.kind {
            Kind::Config => "the URL is no address of a Redis server",
            Kind::Unreachable { unknown: false } => "Redis can't be reached",
            Kind::Unreachable { unknown: true } => {
                "Redis can't be reached, and may have done it or not"
            }
            Kind::Refused => "Redis refuses",
        })
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(self.0.source.as_ref())
    }
}
