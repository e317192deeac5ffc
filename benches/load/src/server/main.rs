//! The others, and the limits of the machine: `server NAME PORT [CERTIFICATE KEY]`. Each has one thread, and listens on loopback only.
//!
//! `GET /sse` is an event stream and `POST /pub/K` publishes its body K times; `/echo`, `/sub` and `/pub` are
//! WebSockets: one sends back, one receives what the other's clients send.

mod actix;
mod axum;
mod batch;
mod carrier;
mod hyper;
mod joined;
mod limit;
mod tasks;
mod websocket;

use std::{error::Error, net::Ipv4Addr};

use tokio::net::{TcpListener, TcpSocket};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, port, pair @ ..] = arguments.as_slice() else {
        return Err("server NAME PORT [CERTIFICATE KEY]".into());
    };
    let port = port.parse()?;
    match name.as_str() {
        "limit" => limit::run(port, limit::Write::Each),
        "limit-burst" => limit::run(port, limit::Write::Burst),
        "limit-bytes" => limit::run(port, limit::Write::Bytes),
        "actix-web-lab" => actix::run(port),
        _ => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(on_tokio(name, port, pair)),
    }
}

async fn on_tokio(name: &str, port: u16, pair: &[String]) -> Result<(), Box<dyn Error>> {
    let listener = listen(port)?;
    match name {
        "axum" => axum::run(listener).await,
        "hyper" => hyper::run(listener).await,
        "hyper-joined" => joined::run(listener).await,
        "axum-carried" => axum::carried(listener, pair).await,
        "hyper-carried" => hyper::carried(listener, pair).await,
        "limit-tasks" => tasks::run(listener).await,
        _ => websocket::run(name, listener).await,
    }
}

fn listen(port: u16) -> Result<TcpListener, Box<dyn Error>> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket.listen(4096)?)
}

/// So many events wait for a receiver at most.
const QUEUE: usize = 1024;
