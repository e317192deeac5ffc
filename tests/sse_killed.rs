//! The example client follows the testbed, a process of its own, through kills and restarts on the same port: it prints
//! every event once and in order.
//!
//! Both are examples, which `cargo test` builds. Alone: `cargo build --example testbed --example event_source` first.

#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// In one stream, so many that no buffers on the way hold them: each kill cuts it off.
const EVENTS: u64 = 100_000_000;

struct Program(Child);

impl Program {
    fn start(example: &str, argument: &[&str]) -> (Self, Lines<BufReader<ChildStdout>>) {
        let test = std::env::current_exe().unwrap();
        let target = test.ancestors().nth(2).unwrap();
        let child = Command::new(target.join("examples").join(example))
            .args(argument)
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
fn testbed(address: &str) -> (Program, String) {
    let (server, mut lines) = Program::start("testbed", &["--listen", address]);
    let line = lines.next().expect("it accepts").unwrap();
    let address = line.split("http://").nth(1).expect("an address").to_owned();
    (server, address)
}

#[test]
fn the_testbed_is_followed_through_kills_and_restarts() {
    let (server, address) = testbed("127.0.0.1:0");
    let mut server = Some(server);
    let uri = format!("http://{address}/sse/count?n={EVENTS}&per={EVENTS}&retry=10");
    let (_client, lines) = Program::start("event_source", &[&uri]);
    // How many events of a connection are read before it is killed: as it begins, and in the midst of it.
    let kills = [1, 1, 9000, 1, 2, 20_000, 1];
    let (mut next, mut open, mut of_this, mut killed, mut cut) = (1, false, 0, 0, 0);
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
            if open && killed == kills.len() {
                break;
            }
            if open && of_this >= kills[killed] {
                server.take().unwrap().kill();
                server = Some(testbed(&address).0);
                (open, killed) = (false, killed + 1);
            }
        } else if line.get("open").is_some() {
            (open, of_this) = (true, 0);
        } else if let Some(cause) = line.get("cause").filter(|_| line.get("again").is_some()) {
            cut += usize::from(cause == "the event stream broke off");
        } else if line["closed"] == true {
            panic!("it gave up: {line}");
        }
    }
    assert_eq!(
        (killed, cut),
        (kills.len(), kills.len()),
        "each kill cut a stream off"
    );
}
