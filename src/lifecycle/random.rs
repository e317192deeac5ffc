use std::hash::{BuildHasher, RandomState};

/// A random number, for jitter. Nothing secret may depend on it.
///
/// The standard library seeds its hash maps from the system once per thread, and differently every time after
/// that. That is as random as spreading things over time has to be, without a dependency.
pub(crate) fn random() -> u32 {
    let bits = RandomState::new().hash_one(0u8);
    (bits >> 32) as u32
}
