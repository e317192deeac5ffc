use std::{sync::Arc, time::Duration};

use crate::{
    lifecycle::StreamGuard,
    rt::DynTimer,
    ws::{
        Heartbeat, Limits,
        deflate::{Agreed, Deflate},
    },
};

/// Which end of the connection this is. It decides who masks, and who closes the transport first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// What a configuration says for all of its connections.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) close_timeout: Duration,
    /// What is offered, or taken, of compression.
    pub(crate) deflate: Option<Deflate>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::new(),
            heartbeat: Heartbeat::new(),
            close_timeout: Duration::from_secs(5),
            deflate: None,
        }
    }
}

/// What one connection starts with.
pub(crate) struct Params {
    pub(crate) role: Role,
    pub(crate) settings: Arc<Settings>,
    /// Without one there are no time-outs and no heartbeat.
    pub(crate) timer: Option<DynTimer>,
    /// The subprotocol that was agreed on.
    pub(crate) protocol: Option<Box<str>>,
    /// Lives as long as the connection and its handler, counts for them, and may end them.
    pub(crate) guard: Option<StreamGuard>,
    /// What was agreed on about compression.
    pub(crate) deflate: Option<Agreed>,
}

impl Params {
    pub(crate) const fn new(role: Role, settings: Arc<Settings>) -> Self {
        Self {
            role,
            settings,
            timer: None,
            protocol: None,
            guard: None,
            deflate: None,
        }
    }
}
