//! Which names a server answers to.

use super::{authority::Authority, rejection::Rejection};

/// Which `Host` a request may carry: the guard of local tools against DNS rebinding.
///
/// A page of a stranger can point a name of its own at 127.0.0.1 and then is "same origin" with whatever listens
/// there. A tool on the loopback interface is safe when it answers only to the names it knows itself by.
/// The default is [`any`](Self::any), as a public server sits behind names that only its operator knows.
///
/// ```
/// use tower_realtime::ws::{HostPolicy, handshake::Policy};
///
/// let local_tool = Policy::new().hosts(HostPolicy::loopback_only());
/// let named = Policy::new().hosts(HostPolicy::only(["chat.example", "chat.example:8443"]));
/// # let _ = (local_tool, named);
/// ```
///
/// ```
/// # use tower_realtime::ws::HostPolicy;
/// let with_tunnel = HostPolicy::loopback_only().allow("my-tool.tunnel.example");
/// # let _ = with_tunnel;
/// ```
#[derive(Clone, Debug)]
pub struct HostPolicy(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Any,
    Named { loopback: bool, names: Vec<String> },
}

impl HostPolicy {
    /// Takes every host.
    #[must_use]
    pub const fn any() -> Self {
        Self(Kind::Any)
    }

    /// Takes `localhost`, `127.0.0.0/8` and `[::1]`, on any port.
    #[must_use]
    pub const fn loopback_only() -> Self {
        Self(Kind::Named {
            loopback: true,
            names: Vec::new(),
        })
    }

    /// Takes exactly these, without regard to case. A name without a port stands for every port.
    #[must_use]
    pub fn only<I>(names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self(Kind::Named {
            loopback: false,
            names: names.into_iter().map(Into::into).collect(),
        })
    }

    /// Takes `name` too, for instance the name under which a tunnel shows a local tool.
    #[must_use]
    pub fn allow(mut self, name: impl Into<String>) -> Self {
        if let Kind::Named { names, .. } = &mut self.0 {
            names.push(name.into());
        }
        self
    }

    pub(crate) fn check(&self, host: Option<Authority<'_>>) -> Result<(), Rejection> {
        let Kind::Named { loopback, names } = &self.0 else {
            return Ok(());
        };
        let host = host.ok_or(Rejection::HostNotAllowed)?;
        let named = names.iter().filter_map(|name| Authority::parse(name));
        let mut known = named.filter(|name| match name.port {
            Some(_) => name.same(host, None),
            None => name.host.eq_ignore_ascii_case(host.host),
        });
        if (*loopback && host.is_loopback()) || known.next().is_some() {
            Ok(())
        } else {
            Err(Rejection::HostNotAllowed)
        }
    }
}

impl Default for HostPolicy {
    fn default() -> Self {
        Self::any()
    }
}
