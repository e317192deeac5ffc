//! The example client follows the testbed, a process of its own, through kills and restarts on the same port: it prints
//! every event once and in order, and ends when the server says stop.
//!
//! Both are examples, which `cargo test` builds. Alone: `cargo build --example testbed --example event_source` first.

#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// A testbed whose streams don't end, so that each kill cuts one off, whatever the buffers on the way hold.
const UNENDING: &[&str] = &["--unending"];
/// Of one connection.
const PER_STREAM: u64 = 5000;
/// More than the connections that are cut off can bring.
const EVENTS: u64 = (KILLS.len() as u64 + 1) * PER_STREAM;
/// How many events of a connection are read before it is killed: as it begins, in the midst of it, and when all it had
/// to say has come.
const KILLS: [u64; 4] = [1, PER_STREAM, PER_STREAM / 2, 1];

struct Program(Child);

impl Program {
    fn start(example: &str, arguments: &[&str]) -> (Self, Lines<BufReader<ChildStdout>>) {
        let test = std::env::current_exe().unwrap();
        let target = test.ancestors().nth(2).unwrap();
        let child = Command::new(target.join("examples").join(example))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn();
        let mut child =
            child.expect("`cargo build --example testbed --example event_source` first");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (Self(child), lines)
    }

    /// With SIGKILL, so that nothing is said or sent on the way out.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The testbed at `address`, once it accepts, and where that is.
fn testbed(address: &str, more: &[&str]) -> (Program, String) {
    let arguments = [&["--listen", address], more].concat();
    let (server, mut lines) = Program::start("testbed", &arguments);
    let line = lines.next().expect("it accepts").unwrap();
    let address = line.split("http://").nth(1).expect("an address").to_owned();
    (server, address)
}

#[test]
fn the_testbed_is_followed_through_kills_and_restarts() {
    let (server, address) = testbed("127.0.0.1:0", UNENDING);
    let mut server = Some(server);
    let uri = format!("http://{address}/sse/count?n={EVENTS}&per={PER_STREAM}&retry=100");
    let (_client, lines) = Program::start("event_source", &[&uri]);
    let mut kills = KILLS.into_iter();
    let mut kill_after = kills.next();
    let (mut next, mut open, mut of_this, mut cut) = (1, false, 0, 0);
    for line in lines {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if let Some(event) = line.get("event") {
            let want = json!({
                "type": "message", "data": format!("tick {next}"), "id": next.to_string()
            });
            assert_eq!(*event, want, "none lost, none twice");
            next += 1;
            of_this += 1;
            // What was sent before a kill still comes after it.
            if open && kill_after.is_some_and(|events| of_this >= events) {
                server.take().unwrap().kill();
                (open, kill_after) = (false, kills.next());
                // The last one brings what is left, connection for connection, and then says stop.
                let more = kill_after.map_or(&[][..], |_| UNENDING);
                server = Some(testbed(&address, more).0);
            }
        } else if line.get("open").is_some() {
            (open, of_this) = (true, 0);
        } else if let Some(cause) = line.get("cause").filter(|_| line.get("again").is_some()) {
            cut += usize::from(cause == "the event stream broke off");
        } else if line["closed"] == true {
            assert_eq!(line["cause"], Value::Null, "the server said stop");
            break;
        }
    }
    assert_eq!(next, EVENTS + 1, "all came");
    assert_eq!(cut, KILLS.len(), "each kill cut a stream off");
}
