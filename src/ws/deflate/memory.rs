//! What a window costs, and which windows fit a budget (pure).

/// The smallest window that zlib can compress for: a raw stream of 8 bits does not exist there.
pub(super) const MIN_BITS: u8 = 9;
/// The largest window of RFC 7692, section 7.1.2.
pub(super) const MAX_BITS: u8 = 15;

/// Hash heads, symbols and pending output of zlib-rs, whatever the window.
const COMPRESSOR: usize = 246 * 1024;
/// State and window of an inflater that is in use.
const INFLATER: usize = 47 * 1024;

/// Bytes that a compressor holds from message to message.
const fn sending(bits: u8) -> usize {
    // Twice the window, and two bytes of chain for each of its positions.
    COMPRESSOR + (4 << bits)
}

/// Bytes that an inflater holds from message to message.
const fn receiving(bits: u8) -> usize {
    INFLATER + (1 << bits)
}

/// The largest window within `limit` bits that our compressor may keep.
pub(super) fn fit_sending(budget: usize, limit: u8) -> Option<u8> {
    fit(budget, MIN_BITS, limit, sending)
}

/// The largest window from `floor` to `limit` bits that we may keep for the peer.
pub(super) fn fit_receiving(budget: usize, floor: u8, limit: u8) -> Option<u8> {
    fit(budget, floor, limit, receiving)
}

/// What is left of `budget` for the other direction.
pub(super) fn left_by_receiving(budget: usize, bits: Option<u8>) -> usize {
    budget.saturating_sub(bits.map_or(0, receiving))
}

fn fit(budget: usize, floor: u8, limit: u8, cost: fn(u8) -> usize) -> Option<u8> {
    (floor..=limit).rev().find(|&bits| cost(bits) <= budget)
}
