//! `host[:port]`, as `Host` and `Origin` have it.

use std::net::{IpAddr, Ipv6Addr};

/// A host with its port, where one is written. An IPv6 address keeps its brackets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authority<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads a `Host` (RFC 9110, section 7.2), which has no user information.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let end = match text.strip_prefix('[') {
            Some(rest) => {
                let close = rest.find(']')?;
                rest[..close].parse::<Ipv6Addr>().ok()?;
                close + 2
            }
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, port) = text.split_at(end);
        if !host.starts_with('[') && !is_name(host) {
            return None;
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            // "example.com:" is the default port (RFC 3986, section 3.2.3).
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) | None => return None,
        };
        Some(Self { host, port })
    }

    /// Whether both name the same place, where `default` is the port that is meant when none is written.
    pub(crate) fn same(self, other: Self, default: Option<u16>) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && self.port.or(default) == other.port.or(default)
    }

    /// Whether this is `localhost` or a loopback address, which no name of the DNS can pretend to be.
    pub(crate) fn is_loopback(self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']');
        match address.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }
}

/// RFC 3986, section 3.2.2, "reg-name".
fn is_name(host: &str) -> bool {
    !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte))
}
