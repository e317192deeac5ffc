"""One proxy in front of the testbed: test.py NAME ORIGIN PROXY. Addresses are host:port.

Events arrive within 100 ms of being sent, keep-alives hold an idle stream past the proxy's time-out (and without
them it is cut, so that the time-out is real), a client that leaves is noticed at the origin, and WebSockets get through
from pages of the proxy's own origin, and from no other.
"""

import http.client
import json
import socket
import sys
import time

NAME, ORIGIN, PROXY = sys.argv[1:]
# Of the proxies' configurations.
TIME_OUT = 2.0
# The testbed's keep-alive of /sse/kinds is 0.2 s. The default of 15 s is that of /sse.
failures = 0


def check(what, passed, detail=""):
    global failures
    failures += not passed
    print(f"  {'ok    ' if passed else 'FAILED'} {NAME}: {what} {detail}".rstrip(), flush=True)


def get(address, path):
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", path, headers={"accept": "text/event-stream"})
    return connection, connection.getresponse()


def publish(data):
    connection = http.client.HTTPConnection(ORIGIN, timeout=10)
    connection.request("POST", "/pub/1", body=data)
    connection.getresponse().read()
    connection.close()


def listeners():
    connection, response = get(ORIGIN, "/sse/listeners")
    count = int(response.read())
    connection.close()
    return count


def wait_for(count, seconds):
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if listeners() == count:
            return time.monotonic() - start
        time.sleep(0.02)
    return None


def line(response):
    """The next line, or None at the end."""
    try:
        return response.readline() or None
    except (http.client.IncompleteRead, ConnectionError, socket.timeout):
        return None


def events_arrive_when_they_were_sent():
    before = listeners()
    connection, response = get(PROXY, "/sse")
    check("passes the head on", response.status == 200 and response.headers["content-type"] == "text/event-stream")
    wait_for(before + 1, 5)
    delays = []
    for n in range(20):
        sent = time.monotonic()
        publish(json.dumps({"n": n}))
        while (got := line(response)) and not got.startswith(b"data: "):
            pass
        if not got or json.loads(got[6:])["n"] != n:
            break
        delays.append((time.monotonic() - sent) * 1000)
        time.sleep(0.03)
    worst = f"(the slowest of {len(delays)}: {max(delays, default=0):.1f} ms)"
    check("events arrive within 100 ms", len(delays) == 20 and max(delays) < 100, worst)
    close(connection, response)


def keep_alives_hold_an_idle_stream():
    connection, response = get(PROXY, "/sse/kinds")
    start, comments = time.monotonic(), 0
    while time.monotonic() - start < 2.5 * TIME_OUT:
        got = line(response)
        if got is None:
            break
        comments += got == b":\n"
    held = time.monotonic() - start
    check("keep-alives hold an idle stream", held >= 2.5 * TIME_OUT, f"({held:.1f} s, {comments} comments)")
    close(connection, response)


def without_them_it_is_cut():
    connection, response = get(PROXY, "/sse")
    start = time.monotonic()
    ended = line(response) is None
    took = time.monotonic() - start
    check("without them it is cut", ended and took < 3 * TIME_OUT, f"(after {took:.1f} s)")
    close(connection, response)


def a_client_that_leaves_is_noticed():
    check("no listener is left of before", wait_for(0, 2 * TIME_OUT) is not None)
    before = listeners()
    connection, response = get(PROXY, "/sse")
    came = wait_for(before + 1, 5)
    close(connection, response)
    # Before the time-out: at once, or else when something is written to it, as a comment would be.
    start, how = time.monotonic(), "at once"
    left = wait_for(before, TIME_OUT / 4)
    while left is None and time.monotonic() - start < 0.9 * TIME_OUT:
        how = "when something was written"
        publish("is anybody there?")
        left = wait_for(before, 0.1)
    took = f"({how}, after {(time.monotonic() - start) * 1000:.0f} ms)"
    check("a client that leaves is noticed at the origin", came is not None and left is not None, took)


def open_socket(origin):
    """What a browser sends that shows a page of `origin`; and the connection with what was read."""
    connection = socket.create_connection(tuple(PROXY.rsplit(":", 1)), timeout=10)
    head = [
        "GET /ws HTTP/1.1",
        f"Host: {PROXY}",
        f"Origin: {origin}",
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    connection.sendall("\r\n".join([*head, "", ""]).encode())
    reader = connection.makefile("rb")
    status = reader.readline().decode().split()[1]
    while reader.readline().strip():
        pass
    return connection, reader, status


def frame(opcode, payload):
    """Of a client, masked with zeros."""
    return bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


def sockets_get_through():
    connection, reader, status = open_socket(f"http://{PROXY}")
    echoed = closed = b""
    if status == "101":
        connection.sendall(frame(1, b"hello"))
        echoed = reader.read(7)
        connection.sendall(frame(8, b"\x03\xe8"))
        closed = reader.read(4)
    check("a WebSocket of its own origin opens", status == "101", f"({status})")
    check("and echoes", echoed == b"\x81\x05hello")
    check("and closes with 1000", closed == b"\x88\x02\x03\xe8")
    close(connection, reader)
    connection, reader, status = open_socket("http://elsewhere.example")
    check("one of another origin is refused", status == "403", f"({status})")
    close(connection, reader)


def close(connection, response):
    """Ends the connection for good: the response holds on to the socket too."""
    response.close()
    connection.close()


events_arrive_when_they_were_sent()
keep_alives_hold_an_idle_stream()
without_them_it_is_cut()
a_client_that_leaves_is_noticed()
sockets_get_through()
sys.exit(failures != 0)
