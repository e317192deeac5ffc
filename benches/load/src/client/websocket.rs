//! As much of RFC 6455 as a load needs.

use std::{error::Error, net::TcpStream};

use super::connection::{ask, open};

/// Opens a WebSocket, and says which extensions the server answered with.
pub fn connect(
    port: u16,
    path: &str,
    offer: Option<&str>,
    number: usize,
) -> Result<(TcpStream, String), Box<dyn Error>> {
    let mut stream = open(port, number)?;
    let offer = offer.map_or(String::new(), |offer| {
        format!("sec-websocket-extensions: {offer}\r\n")
    });
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
    );
    let head = ask(&mut stream, &request, 101)?.to_ascii_lowercase();
    let extensions = head
        .lines()
        .find_map(|line| line.strip_prefix("sec-websocket-extensions: "));
    Ok((stream, extensions.unwrap_or_default().to_owned()))
}

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const RSV1: u8 = 0x40;

/// A whole message as a client sends it, masked.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = head(first, payload.len(), 0x80);
    frame.extend(MASK);
    frame.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// A whole message as a server sends it.
pub fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len(), 0);
    frame.extend(payload);
    frame
}

fn head(first: u8, length: usize, mask: u8) -> Vec<u8> {
    let mut head = vec![0x80 | first];
    match length {
        0..126 => head.push(mask | length as u8),
        126..65_536 => {
            head.push(mask | 126);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(mask | 127);
            head.extend((length as u64).to_be_bytes());
        }
    }
    head
}

/// The first byte, the payload and the whole length of the first frame of a server, once all of it is there.
pub fn first_frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (&first, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*length) as usize, rest)
        }
        short => (usize::from(short), rest),
    };
    let payload = rest.get(..length)?;
    Some((first, payload, bytes.len() - rest.len() + length))
}
