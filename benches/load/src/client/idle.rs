//! Connections that do nothing: how much memory the server holds for each, fresh and after messages.

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpStream,
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    connection::{ask, event_stream, open, publication},
    options::Options,
    process::resident,
    websocket::{TEXT, connect, masked, unmasked},
};

/// Long enough for a server to come to rest.
const REST: Duration = Duration::from_millis(1500);

/// `port`, `pid`; `n` connections; `ws=1` for WebSockets, whose messages are of `size` bytes.
pub fn run(options: &Options) -> Result<Value, Box<dyn Error>> {
    let port = options.get("port", 0)?;
    let pid = options.get("pid", 0)?;
    let count: usize = options.get("n", 5000)?;
    let websocket = options.get("ws", 0)? == 1;
    let open = |number| match websocket {
        true => connect(port, "/echo", None, number).map(|(stream, _)| stream),
        false => event_stream(port, number),
    };
    // The first connections pay for what all share.
    let mut streams = (0..20).map(open).collect::<Result<Vec<_>, _>>()?;
    sleep(REST);
    let base = resident(pid)?;
    for number in streams.len()..streams.len() + count {
        streams.push(open(number)?);
    }
    sleep(REST);
    let fresh = resident(pid)?;
    match websocket {
        true => echo_once(&mut streams, options.get("size", 100)?)?,
        false => publish(port)?,
    }
    sleep(REST);
    let per_connection = |now: u64| (now as f64 - base as f64) / count as f64;
    Ok(json!({
        "fresh": per_connection(fresh),
        "after_messages": per_connection(resident(pid)?),
    }))
}

fn echo_once(streams: &mut [TcpStream], size: usize) -> Result<(), Box<dyn Error>> {
    let message = masked(TEXT, &vec![b'x'; size]);
    let mut echo = vec![0; unmasked(TEXT, &vec![b'x'; size]).len()];
    for stream in streams {
        // Large messages come back while they are still being sent.
        let mut writer = stream.try_clone()?;
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| writer.write_all(&message));
            stream.read_exact(&mut echo)?;
            writing
                .join()
                .map_err(|_| "the writer panicked")?
                .map_err(Box::<dyn Error>::from)
        })?;
    }
    Ok(())
}

fn publish(port: u16) -> Result<(), Box<dyn Error>> {
    for _ in 0..3 {
        let mut publisher = open(port, 0)?;
        ask(&mut publisher, &publication(port, 1, &"x".repeat(100)), 200)?;
        sleep(REST / 3);
    }
    Ok(())
}
