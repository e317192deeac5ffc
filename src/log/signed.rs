//! Ids that only the server can make, one secret for all logs.

use std::{fmt, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{EventLog, Store};

/// Signs the ids of logs, so that the id of one log is worth nothing in another.
///
/// Every id then begins with a tag, `tag-epoch-index`: the first 128 bits of HMAC-SHA-256 over the log's scope. A
/// client that sends an id without the right tag gets [`Gap::Forged`](super::Gap::Forged). The position behind the
/// tag is not signed: who may read a log may read all that it keeps.
///
/// The tag says nothing about who may read: that is for the handler to check, at every request.
///
/// ```
/// use tower_realtime::{
///     log::{EventLog, Gap, SignedIds},
///     sse::Event,
/// };
///
/// let ids = SignedIds::new(b"32 random bytes from your secrets");
/// let ours = EventLog::new(1024).signed(&ids, "tenant 7/orders");
/// let theirs = EventLog::new(1024).signed(&ids, "tenant 8/orders");
/// let id = theirs.publish(Event::new("9 apples"));
/// assert_eq!(ours.resume(&id).complete().unwrap_err(), Gap::Forged);
/// ```
#[derive(Clone)]
pub struct SignedIds(Hmac<Sha256>);

/// Half of the digest: out of reach for guessing, and short in every event.
const TAG: usize = 16;

impl SignedIds {
    /// Signs with `key`, which should be at least 32 random bytes and is shared by all machines that serve the logs.
    ///
    /// # Panics
    ///
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    fn tag(&self, scope: &str) -> Arc<str> {
        let digest = self.0.clone().chain_update(scope).finalize().into_bytes();
        let hex = digest.iter().take(TAG).map(|byte| format!("{byte:02x}"));
        hex.collect::<String>().into()
    }
}

impl<S: Store> EventLog<S> {
    /// Signs the ids of this log. The `scope` names it among all logs that are signed with the same key.
    ///
    /// ```
    /// use tower_realtime::log::{EventLog, SignedIds};
    ///
    /// let ids = SignedIds::new(b"32 random bytes from your secrets");
    /// let orders = EventLog::new(1024).signed(&ids, "tenant 7/orders");
    /// # let _ = orders;
    /// ```
    #[must_use]
    pub fn signed(mut self, ids: &SignedIds, scope: &str) -> Self {
        self.tag = Some(ids.tag(scope));
        self
    }
}

impl fmt::Debug for SignedIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIds").finish_non_exhaustive()
    }
}
