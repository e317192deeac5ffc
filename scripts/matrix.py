"""Runs the public suites against tower-realtime and its peers and keeps what each case said.

  matrix.py SUITES OURS RESULTS [--suites A,B] [--only A,B]

SUITES is a working copy of the conformance suites with the peers built, OURS the folder of our release examples, and
RESULTS the folder for one file per suite and contestant: RESULTS/SUITE/CONTESTANT.tsv. Its first line says what was
tested, each further line is `case`, verdict and, unless it passed, what was seen. A case that failed is tried once more,
by itself where the suite can do that, and passes if the second try does; its note then says so.
"""

import argparse
import collections
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time

PEERS = {"axum": "axum", "yawc": "yawc", "fastwebsockets": "fastwebsockets", "tokio-websockets": "tokio-websockets", "tungstenite": "tokio-tungstenite", "warp": "warp"}
SERVERS = ["ours", *PEERS]
DECODERS = ["sse-stream", "sseer", "eventsource-stream", "sse-codec", "async-sse"]
SOURCES = ["reqwest-eventsource", "sseer", "eventsource-client"]
NODE_SOURCES = {"node-eventsource": "eventsource", "node-undici": "undici"}
BROWSERS = ["chromium", "firefox"]
CONTESTANTS = {
    "autobahn": SERVERS,
    "deflate": ["ours", "yawc"],
    "autobahn-client": ["ours", "tungstenite", "yawc", "fastwebsockets", "tokio-websockets"],
    "deflate-client": ["ours", "yawc"],
    "handshake": SERVERS,
    "frames": SERVERS,
    "h2": ["ours", "axum", "yawc"],
    "autobahn-h2": ["ours", "axum", "yawc"],
    # No other client here speaks WebSocket over HTTP/2.
    "autobahn-client-h2": ["ours"],
    "clients": ["ours", "axum"],
    "browser-chromium": ["ours", "axum"],
    "browser-firefox": ["ours", "axum"],
    "decode": ["ours", *DECODERS, *BROWSERS],
    "behaviour": ["ours", *SOURCES, *NODE_SOURCES, "chromium"],
}
# A quarter of an hour for each contestant: they run when they are asked for by name.
LONG = ["deflate", "deflate-client"]
FULL_CONTRACT = ["ours", "axum"]


class Run:
    def __init__(self, a):
        self.suites, self.ours, self.results = os.path.abspath(a.folder), os.path.abspath(a.ours), a.results
        self.out = os.path.join(tempfile.mkdtemp(), "out.json")
        self.python = os.path.join(self.suites, "venv", "bin", "python")

    def path(self, *parts):
        return os.path.join(self.suites, *parts)

    def peer(self, program):
        folder = "peers-es" if program == "es-client" else "peers"
        return self.path(folder, "target", "release", program)

    def call(self, *command):
        """Runs a suite; what it printed. What it found is in self.out, as far as it writes that."""
        if os.path.exists(self.out):
            os.remove(self.out)
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=3600)
        return done.stdout

    def found(self):
        with open(self.out) as file:
            return json.load(file)


class Server:
    """A contestant that serves, on ports that were free a moment ago."""

    def __init__(self, run, name, tls=False):
        self.plain, self.secure, self.processes = free(), free(), []
        cert, key = run.path("certs", "cert.pem"), run.path("certs", "key.pem")
        if name == "ours":
            command = [os.path.join(run.ours, "testbed"), "--deflate", "--listen", f"127.0.0.1:{self.plain}", "--tls", f"127.0.0.1:{self.secure}", "--cert", cert, "--key", key]
            self.start(command, self.plain)
            return
        base = [run.peer("ws-peer"), "--impl", name, "--addr"]
        self.start([*base, f"127.0.0.1:{self.plain}"], self.plain)
        if tls:
            self.start([*base, f"127.0.0.1:{self.secure}", "--tls", cert, key], self.secure)

    def start(self, command, port):
        self.processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        sys.exit(f"{command[0]} does not listen")

    @property
    def pid(self):
        return self.processes[0].pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


def free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def autobahn(run, mode, target, *options):
    groups = "" if "--cases" in options else "--exclude 12.* --exclude 13.*"
    run.call(run.python, run.path("autobahn", "run.py"), mode, target, "--json", run.out, *groups.split(), *options)
    rows = {}
    with open(run.out) as file:
        for case in map(json.loads, file):
            said, end = case["behaviour"], case["close"]
            verdict = {"OK": "PASS", "NON-STRICT": "WARN", "INFORMATIONAL": "INFO", "UNIMPLEMENTED": "SKIP"}.get(said, "FAIL")
            note = "" if verdict in ("PASS", "INFO") else said.lower()
            if verdict != "SKIP" and end not in ("OK", "INFORMATIONAL"):
                verdict, note = "FAIL", f"{said.lower()}, end {end.lower()}"
            rows[case["id"]] = (verdict, note)
    return rows


DEFLATE = ["--cases", "12.*", "--cases", "13.*"]


def autobahn_server(run, name, *options):
    with Server(run, name) as server:
        return autobahn(run, "server", f"ws://127.0.0.1:{server.plain}/ws", *options)


def autobahn_client(run, name, *options):
    if name == "ours":
        command = os.path.join(run.ours, "echo_client") + " {url}" + (" --deflate" if options else "")
    else:
        command = f"{run.peer('ws-client')} --impl {name} {{url}}"
    return autobahn(run, "client", command, *options)


def autobahn_h2(run, name):
    with Server(run, name) as server:
        port = free()
        server.start([run.path("h2", "nghttpx-bridge.sh"), str(port), str(server.plain)], port)
        return autobahn(run, "server", f"ws://127.0.0.1:{port}/ws")


def autobahn_client_h2(run, name):
    """The suite listens at one port, and the client asks nghttpx at another."""
    listens, bridge = free(), free()
    options = ["--conf=/dev/null", "--workers=1", "--single-process", "--log-level=ERROR", "--accesslog-file=/dev/null"]
    ways = [f"--frontend=127.0.0.1,{bridge};no-tls", f"--backend=127.0.0.1,{listens};;proto=http/1.1"]
    client = os.path.join(os.path.dirname(run.out), "client")
    with open(client, "w") as file:
        file.write(f'#!/bin/sh\nexec "{run.ours}/echo_client" --http2 "ws://127.0.0.1:{bridge}/${{1#ws://*/}}"\n')
    os.chmod(client, 0o755)
    proxy = subprocess.Popen(["nghttpx", *options, *ways], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return autobahn(run, "client", client + " {url}", "--port", str(listens))
    finally:
        proxy.kill()
        proxy.wait()


def by_name(run, command, note):
    """A suite that writes name, verdict and notes as a list, and can run one case."""
    run.call(*command, "--json", run.out)
    rows = {}
    for case in run.found():
        verdict, why = case["verdict"], note(case)
        if verdict == "FAIL":
            run.call(*command, "--only", case["name"], "--json", run.out)
            again = run.found()
            if again and again[0]["verdict"] != "FAIL":
                verdict, why = again[0]["verdict"], f"at the second try; the first: {why}"
        rows[case["name"]] = (verdict, why)
    return rows


def whys(case):
    return "; ".join(case["why"])


def handshake(run, name):
    with Server(run, name) as server:
        no_sub = [] if name in FULL_CONTRACT else ["--no-sub"]
        return by_name(run, [run.python, run.path("ws", "handshake.py"), f"127.0.0.1:{server.plain}", *no_sub], whys)


def frames(run, name):
    with Server(run, name) as server:
        return by_name(run, [run.python, run.path("ws", "frames.py"), f"127.0.0.1:{server.plain}", "--pid", server.pid], lambda case: case["note"])


def h2(run, name):
    with Server(run, name) as server:
        no_sub = [] if name in FULL_CONTRACT else ["--no-sub"]
        return by_name(run, [run.python, run.path("h2", "ws_h2.py"), f"http://127.0.0.1:{server.plain}", *no_sub], lambda case: case["note"])


def better_of_two(once):
    """For suites that cannot run one case alone."""
    first = once()
    if all(verdict != "FAIL" for verdict, _ in first.values()):
        return first
    second = once()
    return {name: row if row[0] != "FAIL" or second.get(name, row)[0] == "FAIL" else (second[name][0], f"at the second try; the first: {row[1]}") for name, row in first.items()}


TRUTH = {True: "PASS", False: "FAIL", None: "INFO"}


def browser(run, name, program):
    def once():
        with Server(run, name, tls=True) as server:
            run.call("node", run.path("browser", "run.mjs"), program, f"http://127.0.0.1:{server.plain}", f"https://127.0.0.1:{server.secure}", "--json", run.out)
            return {row["test"]: (TRUTH[row["ok"]], row.get("note") or "") for row in run.found()["results"]}

    return better_of_two(once)


def clients(run, name):
    def once():
        with Server(run, name) as server:
            run.call(run.python, run.path("clients", "run.py"), f"http://127.0.0.1:{server.plain}", "--json", run.out)
            return {f"{client}: {row['test']}": (TRUTH[row["ok"]], row["note"] or "") for client, rows in run.found().items() for row in rows}

    return better_of_two(once)


def decode(run, name):
    with open(run.path("data", "sse-decode-cases.json")) as file:
        names = [case["name"] for case in json.load(file)["cases"]]
    failed = collections.defaultdict(list)
    if name in BROWSERS:
        run.call("node", run.path("browser", "sse-decode.mjs"), name, "--json", run.out)
        for case in run.found():
            if case["bad"]:
                failed[case["name"]].append(f"{case['cut']}: {'; '.join(case['bad'])}")
    else:
        command = os.path.join(run.ours, "sse_decode") if name == "ours" else f"{run.peer('sse-decode')} --impl {name}"
        run.call(run.python, run.path("sse", "check_decoder.py"), command + " {cases}", "--json", run.out)
        failed.update({case: ["; ".join(sorted({cut.split(": ")[-1] for cut in cuts})) + f" at {len(cuts)} cuts"] for case, cuts in run.found().items()})
    return {case: ("FAIL", failed[case][0]) if case in failed else ("PASS", "") for case in names}


def behaviour(run, name):
    if name == "ours":
        command = os.path.join(run.ours, "event_source")
    elif name in NODE_SOURCES:
        command = f"node {run.path('sse', 'node-client.mjs')} {NODE_SOURCES[name]}"
    elif name in BROWSERS:
        command = f"node {run.path('browser', 'es-client.mjs')} {name}"
    else:
        command = f"{run.peer('es-client')} --impl {name}"
    return by_name(run, [run.python, run.path("sse", "behaviour.py"), command + " {url}", "--jobs", "3"], whys)


SUITES = {
    "autobahn": autobahn_server,
    "deflate": lambda run, name: autobahn_server(run, name, *DEFLATE),
    "autobahn-client": autobahn_client,
    "deflate-client": lambda run, name: autobahn_client(run, name, *DEFLATE),
    "handshake": handshake,
    "frames": frames,
    "h2": h2,
    "autobahn-h2": autobahn_h2,
    "autobahn-client-h2": autobahn_client_h2,
    "clients": clients,
    "browser-chromium": lambda run, name: browser(run, name, "chromium"),
    "browser-firefox": lambda run, name: browser(run, name, "firefox"),
    "decode": decode,
    "behaviour": behaviour,
}


def version(run, name):
    """What was tested, with its version."""
    if name == "ours":
        with open(os.path.join(os.path.dirname(__file__), "..", "Cargo.toml")) as file:
            return "tower-realtime " + re.search(r'^version = "(.*?)"', file.read(), re.M)[1]
    if name in BROWSERS:
        program = {"chromium": "chromium", "firefox": "firefox-esr"}[name]
        said = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        return f"{name.capitalize()} {re.search(r'[0-9][0-9.]*', said)[0]}"
    if name in NODE_SOURCES:
        with open(run.path("node", "node_modules", NODE_SOURCES[name], "package.json")) as file:
            return f"{NODE_SOURCES[name]} (npm) {json.load(file)['version']}"
    crate = PEERS.get(name, name)
    for folder in ("peers", "peers-es"):
        with open(run.path(folder, "Cargo.toml")) as file:
            found = re.search(rf'^{re.escape(crate)} = (?:{{ version = )?"=?([0-9.]+)"', file.read(), re.M)
        if found:
            return f"{crate} {found[1]}"
    sys.exit(f"no version of {name}")


def clean(note):
    return " ".join(note.split())[:160]


def write(run, suite, name, rows):
    folder = os.path.join(run.results, suite)
    os.makedirs(folder, exist_ok=True)
    what = version(run, name)
    if suite.startswith("browser-"):
        what += " seen by " + version(run, suite.removeprefix("browser-"))
    with open(os.path.join(folder, name + ".tsv"), "w") as file:
        file.write(what + "\n")
        for case, (verdict, note) in rows.items():
            note = "" if verdict == "PASS" and "second try" not in note else clean(note)
            file.write(f"{case}\t{verdict}\t{note}".rstrip() + "\n")
    said = collections.Counter(verdict for verdict, _ in rows.values())
    print(f"{suite:18} {what:40} " + ", ".join(f"{n} {verdict}" for verdict, n in sorted(said.items())), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder")
    p.add_argument("ours")
    p.add_argument("results")
    p.add_argument("--suites", help="some suites; all but " + ", ".join(LONG) + " without this")
    p.add_argument("--only", help="some contestants")
    a = p.parse_args()
    run = Run(a)
    wanted = a.suites.split(",") if a.suites else [suite for suite in SUITES if suite not in LONG]
    for suite in wanted:
        for name in CONTESTANTS[suite]:
            if not a.only or name in a.only.split(","):
                write(run, suite, name, SUITES[suite](run, name))


if __name__ == "__main__":
    main()
