//! A second opinion on decoding: the standard's own words (HTML 9.2.5 and 9.2.6), on the whole input at once, with
//! no thought of speed. Shared with the fuzz target.

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Plain {
    /// Name, data and last event id of each event.
    pub events: Vec<(String, String, String)>,
    pub retry: Option<u64>,
    pub last_event_id: String,
}

pub(crate) fn decode(bytes: &[u8]) -> Plain {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    // What follows the last line end is no line.
    let ends: Vec<char> = text.chars().collect();
    let mut out = Plain::default();
    let [mut line, mut data, mut event, mut id] = [const { String::new() }; 4];
    let mut at = 0;
    while at < ends.len() {
        match ends[at] {
            '\r' | '\n' => {
                process(&mut out, &line, &mut data, &mut event, &mut id);
                line = String::new();
                if ends[at] == '\r' && ends.get(at + 1) == Some(&'\n') {
                    at += 1;
                }
            }
            other => line.push(other),
        }
        at += 1;
    }
    out
}

fn process(out: &mut Plain, line: &str, data: &mut String, event: &mut String, id: &mut String) {
    if line.is_empty() {
        out.last_event_id.clone_from(id);
        if !data.is_empty() {
            data.pop();
            let name = if event.is_empty() { "message" } else { &*event };
            let message = (name.to_owned(), data.clone(), out.last_event_id.clone());
            out.events.push(message);
        }
        data.clear();
        event.clear();
        return;
    }
    if line.starts_with(':') {
        return;
    }
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    let value = value.strip_prefix(' ').unwrap_or(value);
    match name {
        "event" => value.clone_into(event),
        "data" => {
            data.push_str(value);
            data.push('\n');
        }
        "id" if !value.contains('\0') => value.clone_into(id),
        "retry" if !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) => {
            out.retry = Some(value.parse().unwrap_or(u64::MAX));
        }
        _ => {}
    }
}
