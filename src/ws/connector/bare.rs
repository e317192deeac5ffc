use std::{
    io::{self, ErrorKind},
    pin::pin,
};

use bytes::{Buf, Bytes, BytesMut};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::{
    AsyncReadExt, AsyncWriteExt,
    future::{Either, select},
};
use http::{Request, Response, StatusCode, request};

use super::{ConnectError, Connector, head};
use crate::{
    lifecycle::{EXCERPT, patience},
    rt::BoxSleep,
    ws::{WebSocket, handshake::to_http, upgrade::Upgraded},
};

impl Connector {
    /// Opens a WebSocket over a byte stream that is connected and has said nothing yet: a `TcpStream` of smol, a
    /// TLS stream, a Unix socket, or with [`HyperIo`](crate::ws::upgrade::HyperIo) whatever hyper can serve.
    ///
    /// The request's target says the path and the `Host`, not where to connect to.
    ///
    /// ```no_run
    /// use tower_realtime::{rt::Smol, ws::Connector};
    ///
    /// # async fn greet() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let stream = smol::net::TcpStream::connect("localhost:3000").await?;
    /// let request = http::Request::get("ws://localhost:3000/chat").body(())?;
    /// let (mut socket, _) = Connector::new().timer(Smol).over(stream, request).await?;
    /// socket.send("hello").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect). HTTP/2 has streams of its own and can't run over a bare one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream.
    pub async fn over<T>(
        &self,
        io: T,
        request: Request<()>,
    ) -> Result<(WebSocket, Response<()>), ConnectError>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        if self.http2 {
            return Err(ConnectError::request(
                "HTTP/2 can't run over a bare stream: use connect",
            ));
        }
        let (mut head, ()) = request.into_parts();
        head.uri = to_http(head.uri);
        let key = self.prepare(&mut head)?;
        let (io, response, ahead) = self.in_time(exchange(io, &head)).await?;
        if !self.asked(key.as_ref()).is_accepted(response.status()) {
            let framing = head::Framing::of(&response);
            let (timer, most) = (self.timer.as_ref(), self.handshake_timeout);
            let enough = patience(timer, most, framing.has_length());
            let body = excerpt(io, &framing, ahead, enough).await;
            return Err(ConnectError::refused(response.map(|()| body)));
        }
        let (head, ()) = response.into_parts();
        let terms = self.check(key.as_ref(), &head)?;
        let io = Upgraded::with_read_ahead(io, ahead.freeze());
        Ok((self.open(io, terms), Response::from_parts(head, ())))
    }
}

/// Sends the head and reads one back, with the bytes that came behind it.
async fn exchange<T>(
    mut io: T,
    head: &request::Parts,
) -> Result<(T, Response<()>, BytesMut), ConnectError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    io.write_all(&head::to_wire(head))
        .await
        .map_err(ConnectError::io)?;
    io.flush().await.map_err(ConnectError::io)?;
    let mut bytes = BytesMut::new();
    loop {
        match head::parse(&bytes).map_err(ConnectError::io)? {
            // 100 Continue, 103 Early Hints: the answer is still to come (RFC 9110, section 15.2).
            Some((response, len)) if is_interim(response.status()) => bytes.advance(len),
            Some((response, len)) => {
                bytes.advance(len);
                return Ok((io, response, bytes));
            }
            None if bytes.len() >= MAX_HEAD => {
                let error = io::Error::new(ErrorKind::InvalidData, "the head is too large");
                return Err(ConnectError::io(error));
            }
            None => {
                if !read_some(&mut io, &mut bytes).await? {
                    return Err(ConnectError::io(ErrorKind::UnexpectedEof.into()));
                }
            }
        }
    }
}

/// Reads the first of what the server has to say about its refusal, until it was enough.
async fn excerpt<T>(
    mut io: T,
    framing: &head::Framing,
    mut bytes: BytesMut,
    mut enough: BoxSleep,
) -> Bytes
where
    T: AsyncRead + Unpin,
{
    while bytes.len() < MAX_BODY && !framing.is_enough(&bytes, EXCERPT) {
        let read = pin!(read_some(&mut io, &mut bytes));
        // What came before an untimely end is better than nothing.
        let Either::Left((Ok(true), _)) = select(read, &mut enough).await else {
            break;
        };
    }
    let mut body = framing.decode(bytes.freeze());
    body.truncate(EXCERPT);
    body
}

/// Reads once, and says whether there was anything.
async fn read_some<T>(io: &mut T, bytes: &mut BytesMut) -> Result<bool, ConnectError>
where
    T: AsyncRead + Unpin,
{
    let mut buf = [0; 2048];
    let len = io.read(&mut buf).await.map_err(ConnectError::io)?;
    bytes.extend_from_slice(&buf[..len]);
    Ok(len > 0)
}

fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

/// The head of an answer, in bytes.
const MAX_HEAD: usize = 32 << 10;

/// The body of a refusal on the wire, in bytes: more than is kept of it, for the heads of small chunks.
const MAX_BODY: usize = 4 * EXCERPT;
