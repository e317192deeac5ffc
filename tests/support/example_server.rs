//! Examples that are servers: each runs in a thread and a runtime of its own.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

/// Runs a server of tokio's kind for the rest of the test, and says where it listens.
pub(crate) fn on_tokio<F, Fut>(serve: F) -> SocketAddr
where
    F: FnOnce(tokio::net::TcpListener) -> Fut + Send + 'static,
    Fut: Future<Output = io::Result<()>>,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(async { serve(tokio::net::TcpListener::from_std(listener).unwrap()).await })
    });
    address
}
