//! A line's field name and value. Pure.

/// The fields that mean something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Field {
    Data,
    Event,
    Id,
    Retry,
}

/// The field of a line that is not blank, and where its value begins; `None` for what is to be ignored: comments
/// and names that are unknown, which are compared literally, with case.
#[inline]
pub(super) fn parse(line: &[u8]) -> Option<(Field, usize)> {
    let (field, rest) = if let Some(rest) = line.strip_prefix(b"data") {
        (Field::Data, rest)
    } else if let Some(rest) = line.strip_prefix(b"event") {
        (Field::Event, rest)
    } else if let Some(rest) = line.strip_prefix(b"id") {
        (Field::Id, rest)
    } else {
        (Field::Retry, line.strip_prefix(b"retry")?)
    };
    let name = line.len() - rest.len();
    match rest {
        // A line without a colon is a name with an empty value.
        [] => Some((field, name)),
        // One space is dropped, more are data.
        [b':', b' ', ..] => Some((field, name + 2)),
        [b':', ..] => Some((field, name + 1)),
        _ => None,
    }
}

/// Where the value of a line of data begins. `None` is for other lines, and for some that [`parse`] knows.
#[inline]
pub(super) fn data(line: &[u8]) -> Option<usize> {
    let value = line.strip_prefix(b"data:")?;
    let value = value.strip_prefix(b" ").unwrap_or(value);
    Some(line.len() - value.len())
}

/// The milliseconds of a `retry` value: ASCII digits and nothing else. A sign, a space or a fraction makes it void.
#[inline(never)]
pub(super) fn retry(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |millis, byte| {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        Some(millis.saturating_mul(10).saturating_add(digit.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_literal_and_one_space_is_dropped() {
        for (line, want) in [
            ("data", Some((Field::Data, 4))),
            ("data:", Some((Field::Data, 5))),
            ("data: ", Some((Field::Data, 6))),
            ("data:  x", Some((Field::Data, 6))),
            ("data:\tx", Some((Field::Data, 5))),
            ("event:e", Some((Field::Event, 6))),
            ("id: 1", Some((Field::Id, 4))),
            ("retry:1", Some((Field::Retry, 6))),
            ("data : x", None),
            (" data: x", None),
            ("Data: x", None),
            ("dataset: x", None),
            ("dat: x", None),
            (": data: x", None),
            ("", None),
        ] {
            assert_eq!(parse(line.as_bytes()), want, "{line:?}");
        }
    }

    #[test]
    fn retry_is_digits_only() {
        for (value, want) in [
            ("0", Some(0)),
            ("03000", Some(3000)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("", None),
            ("+5", None),
            ("-5", None),
            (" 5", None),
            ("5 ", None),
            ("1e3", None),
            ("1.5", None),
            ("٣", None),
            ("5\0", None),
        ] {
            assert_eq!(retry(value.as_bytes()), want, "{value:?}");
        }
    }
}
