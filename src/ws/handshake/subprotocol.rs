//! Which subprotocol both sides know (RFC 6455, sections 1.9 and 4.2.2).

use std::borrow::Cow;

use http::HeaderValue;

use super::headers::is_token;

/// Names in order of preference.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subprotocols(Vec<Cow<'static, str>>);

impl Subprotocols {
    pub(crate) fn new<I>(names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cow<'static, str>>,
    {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// The first of ours that was offered. Names are compared with their case (RFC 6455, section 11.5).
    pub(crate) fn choose(&self, offered: &[&str]) -> Option<&str> {
        let ours = self.0.iter().map(AsRef::as_ref);
        ours.into_iter().find(|name| offered.contains(name))
    }

    /// A name that can't be written into a header, or one that stands here twice.
    pub(crate) fn invalid(&self) -> Option<&str> {
        let mut names = self.0.iter().enumerate();
        names
            .find(|(at, name)| !is_token(name.as_bytes()) || self.0[..*at].contains(name))
            .map(|(_, name)| name.as_ref())
    }

    /// The header with which a client offers them, or none where there is nothing to offer.
    pub(crate) fn offer(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.0.join(", "))
            .ok()
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|own| own == name)
    }
}
