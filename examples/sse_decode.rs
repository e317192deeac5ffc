//! Decodes event streams without any I/O of their own.
//!
//! `cargo run --example sse_decode CASES.json` decodes each case whole, byte by byte, and cut in two at every place.
//! `… --raw [--chunk N] < stream` decodes what comes on standard input, N bytes at a time.

use std::io::{self, Read, Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tower_realtime::{
    BoxError,
    sse::{Decoder, Error, Message},
};

fn event(message: &Message) -> Value {
    json!({ "type": message.event(), "data": message.data(), "id": message.last_event_id() })
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Value {
    let mut decoder = Decoder::new();
    let (mut events, mut error) = (Vec::new(), None::<Error>);
    for piece in pieces {
        decoder.push(piece);
        for message in &mut decoder {
            match message {
                Ok(message) => events.push(event(&message)),
                Err(failure) => error = Some(failure),
            }
        }
    }
    let retry = decoder.retry().map(|retry| retry.as_millis() as u64);
    let error = error.map(|error| error.to_string());
    json!({ "events": events, "retry": retry, "last_id": decoder.last_event_id(), "error": error })
}

fn cases(file: &str, out: &mut impl Write) -> Result<(), BoxError> {
    let cases: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    for case in cases["cases"].as_array().ok_or("no cases")? {
        let input = BASE64_STANDARD.decode(case["input_b64"].as_str().ok_or("no input")?)?;
        let mut print = |cut: &str, mut line: Value| {
            line["name"] = case["name"].clone();
            line["cut"] = cut.into();
            writeln!(out, "{line}")
        };
        print("whole", decode(std::iter::once(&*input)))?;
        print("bytes", decode(input.chunks(1)))?;
        for at in 1..input.len() {
            let (a, b) = input.split_at(at);
            print(&format!("at {at}"), decode([a, b].into_iter()))?;
        }
    }
    Ok(())
}

fn raw(chunk: usize, out: &mut impl Write) -> Result<(), BoxError> {
    let (mut decoder, mut buffer) = (Decoder::new(), vec![0; chunk]);
    loop {
        let length = io::stdin().read(&mut buffer)?;
        decoder.push(&buffer[..length]);
        for message in &mut decoder {
            writeln!(out, "{}", event(&message?))?;
        }
        out.flush()?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn main() -> Result<(), BoxError> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let out = &mut io::stdout().lock();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--raw"] => raw(16 * 1024, out),
        ["--raw", "--chunk", bytes] => raw(bytes.parse::<usize>()?.max(1), out),
        [file] => cases(file, out),
        _ => Err("usage: sse_decode CASES.json | --raw [--chunk N]".into()),
    }
}
