//! `Sec-WebSocket-Extensions` as a list of names with parameters (pure; RFC 6455, section 9.1).

use std::borrow::Cow;

use super::headers::is_token;

/// One element of the header.
#[derive(Debug)]
pub(in crate::ws) struct Extension<'a> {
    pub(in crate::ws) name: &'a str,
    pub(in crate::ws) parameters: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// The header is not what its grammar says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::ws) struct Malformed;

/// The elements of one header line.
pub(in crate::ws) fn parse(line: &[u8]) -> Result<Vec<Extension<'_>>, Malformed> {
    let line = std::str::from_utf8(line).map_err(|_| Malformed)?;
    let mut rest = Rest(line);
    let mut elements = Vec::new();
    loop {
        rest.skip_space();
        // RFC 9110, section 5.6.1: a recipient must accept empty elements.
        if rest.skip(b',') {
            continue;
        }
        if rest.0.is_empty() {
            return Ok(elements);
        }
        elements.push(element(&mut rest)?);
        if !rest.0.is_empty() && !rest.skip(b',') {
            return Err(Malformed);
        }
    }
}

fn element<'a>(rest: &mut Rest<'a>) -> Result<Extension<'a>, Malformed> {
    let name = rest.token()?;
    let mut parameters = Vec::new();
    rest.skip_space();
    while rest.skip(b';') {
        rest.skip_space();
        let key = rest.token()?;
        rest.skip_space();
        let value = if rest.skip(b'=') {
            rest.skip_space();
            Some(rest.value()?)
        } else {
            None
        };
        parameters.push((key, value));
        rest.skip_space();
    }
    Ok(Extension { name, parameters })
}

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.0.as_bytes().first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn token(&mut self) -> Result<&'a str, Malformed> {
        let end = self
            .0
            .bytes()
            .position(|byte| !is_token(&[byte]))
            .unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        if token.is_empty() {
            Err(Malformed)
        } else {
            Ok(token)
        }
    }

    fn value(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if !self.skip(b'"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut value = String::new();
        let mut characters = self.0.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    // It "MUST conform to the 'token' ABNF" as well; where it does not, no parameter has such a value,
                    // and the offer is declined and not the handshake failed (RFC 7692, section 7.1.2).
                    return Ok(Cow::Owned(value));
                }
                '\\' => value.push(characters.next().ok_or(Malformed)?.1),
                c => value.push(c),
            }
        }
        Err(Malformed)
    }
}
