//! The server that public test suites, browsers and load generators drive. It is no example of style for a small
//! server: `examples/sse_axum.rs` and its neighbours are.
//!
//! ```text
//! testbed --listen ADDR [--tls ADDR --cert FILE --key FILE] [--stack hyper|axum|layers]
//!         [--deflate [--no-context-takeover] [--level N]] [--same-origin] [--http1] [--unending]
//! ```
//!
//! It prints one line with its addresses once it accepts, and ends on SIGTERM.

mod arguments;
mod endpoints;
mod listen;
mod sse;
mod tls;
mod ws;

use std::{process::ExitCode, sync::Arc};

use tokio::signal::unix::{SignalKind, signal};
use tower_realtime::BoxError;

use self::{arguments::Arguments, endpoints::Testbed};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(fault) => {
            eprintln!("testbed: {fault}");
            return ExitCode::from(2);
        }
    };
    // One thread, like the servers that it is measured beside.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(arguments)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("testbed: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), BoxError> {
    let mut terminated = signal(SignalKind::terminate())?;
    let testbed = Arc::new(Testbed::new(&arguments)?);
    let plain = listen::bind(arguments.listen)?;
    let mut addresses = format!("listening on http://{}", plain.local_addr()?);
    let secure = match &arguments.tls {
        Some(tls) => {
            let listener = listen::bind(tls.address)?;
            addresses += &format!(" and https://{}", listener.local_addr()?);
            Some((listener, tls::acceptor(&tls.certificate, &tls.key)?))
        }
        None => None,
    };
    println!("{addresses}");
    tokio::select! {
        never = listen::serve(plain, secure, &arguments, testbed) => match never {},
        _ = terminated.recv() => Ok(()),
    }
}
