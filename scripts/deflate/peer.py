"""Python's websockets against an echo: peer.py client URL MESSAGES | peer.py server COMMAND MESSAGES

As a client it asks for each window and takeover; as a server it starts COMMAND with its address and sets them.
Every message has to come back as it was, and the parameters have to be those that were asked for.
"""

import asyncio
import itertools
import random
import shlex
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)

WORDS = "the quick brown fox jumps over a lazy dog and does so again and again".split()


def message(rng):
    size = rng.choice([0, 1, 5, 100, 300, 2_000, 30_000, 200_000])
    size = rng.randint(0, size)
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(size)
    if kind == 1:
        return bytes([rng.randrange(256)]) * size
    words = (rng.choice(WORDS) for _ in range(size // 5))
    return " ".join(words) + ("é✓" if kind == 2 else "")


def fragments(rng, data):
    cuts = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(1, 4)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)])]


async def exchange(socket, count, seed):
    rng = random.Random(seed)
    sent = [message(rng) for _ in range(count)]

    async def send():
        for data in sent:
            await socket.send(fragments(rng, data) if rng.random() < 0.4 else data)
            if rng.random() < 0.1:
                await socket.ping()

    sending = asyncio.create_task(send())
    for data in sent:
        back = await socket.recv()
        assert back == data, f"{len(data)} {type(data)} came back as {len(back)} {type(back)}"
    await sending


def check(socket, ours, theirs, no_ours, no_theirs):
    """What this side ended up with: never more than was agreed."""
    (extension,) = socket.protocol.extensions
    assert extension.local_max_window_bits <= ours, extension
    assert extension.remote_max_window_bits <= theirs, extension
    assert extension.local_no_context_takeover or not no_ours, extension
    assert extension.remote_no_context_takeover or not no_theirs, extension


async def as_client(url, count, case):
    bits, other, no_own, no_other = case
    factory = ClientPerMessageDeflateFactory(
        server_no_context_takeover=no_other,
        client_no_context_takeover=no_own,
        server_max_window_bits=other,
        client_max_window_bits=bits,
    )
    async with connect(url, extensions=[factory], compression=None, max_size=None) as socket:
        check(socket, bits, other, no_own, no_other)
        await exchange(socket, count, repr(case))


async def as_server(command, count, case):
    bits, other, no_own, no_other = case
    factory = ServerPerMessageDeflateFactory(
        server_no_context_takeover=no_own,
        client_no_context_takeover=no_other,
        server_max_window_bits=bits,
        client_max_window_bits=other,
    )
    done = asyncio.get_running_loop().create_future()

    async def handler(socket):
        try:
            check(socket, bits, other, no_own, no_other)
            await exchange(socket, count, repr(case))
            done.set_result(None)
        except Exception as error:  # noqa: BLE001
            done.set_exception(error)

    async with serve(handler, "127.0.0.1", 0, extensions=[factory], compression=None, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        argv = [*shlex.split(command), f"ws://127.0.0.1:{port}/"]
        client = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.DEVNULL)
        await asyncio.wait_for(done, 120)
        assert await asyncio.wait_for(client.wait(), 10) == 0, "the client failed"


async def main():
    role, target, count = sys.argv[1:]
    run = as_client if role == "client" else as_server
    passed = failed = 0
    windows = [(bits, bits) for bits in range(9, 16)] + [(9, 15), (15, 9)]
    for (bits, other), own, peer in itertools.product(windows, [False, True], [False, True]):
        try:
            await run(target, int(count), (bits, other, own, peer))
            passed += 1
        except Exception as error:  # noqa: BLE001
            print(f"window {bits}/{other}, no takeover {own}/{peer}: {error!r}")
            failed += 1
    print(f"websockets as {role}: {passed} passed, {failed} failed")
    sys.exit(failed > 0)


asyncio.run(main())
