//! The one shared wake-up primitive: everybody who waits for the same thing, woken together.
