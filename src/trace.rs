//! `tracing`'s macros, or macros of the same names that do nothing, so that call sites need no `cfg`.
#![allow(unused_macros, unused_imports)]

#[cfg(feature = "tracing")]
pub(crate) use tracing::{debug, info, trace, warn};

#[cfg(not(feature = "tracing"))]
mod silent {
    macro_rules! debug {
        ($($arg:tt)*) => {{}};
    }
    macro_rules! trace {
        ($($arg:tt)*) => {{}};
    }
    macro_rules! info {
        ($($arg:tt)*) => {{}};
    }
    macro_rules! warn_ {
        ($($arg:tt)*) => {{}};
    }
    pub(crate) use {debug, info, trace, warn_ as warn};
}
#[cfg(not(feature = "tracing"))]
pub(crate) use silent::{debug, info, trace, warn};
