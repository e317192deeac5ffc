//! One thread that loads a server with many connections and prints one line of JSON: `client MEASURE key=value…`.
//!
//! It polls without sleeping: a client that sleeps costs the server a wake-up for each write, which would be measured
//! too. The server's processor time comes from its process, so it does not matter how slow the client is as long as
//! `client_busy` stays below 1.

mod carried;
mod connection;
mod deflate;
mod echo;
mod fan_out;
mod idle;
mod options;
mod poll;
mod process;
mod websocket;

use std::error::Error;

use options::Options;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let measure = arguments.next().unwrap_or_default();
    let options = Options::parse(arguments)?;
    let line = match measure.as_str() {
        "sse-fan-out" => fan_out::run(&options, fan_out::Kind::EventStream)?,
        "ws-fan-out" => fan_out::run(&options, fan_out::Kind::WebSocket)?,
        "sse-carried" => carried::run(&options)?,
        "ws-echo" => echo::run(&options)?,
        "ws-deflate" => deflate::run(&options)?,
        "idle" => idle::run(&options)?,
        _ => {
            return Err("sse-fan-out, ws-fan-out, sse-carried, ws-echo, ws-deflate or idle".into());
        }
    };
    println!("{line}");
    Ok(())
}
