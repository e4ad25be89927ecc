#!/usr/bin/env python3
"""Two hundred clients at once, good and bad ones: load_test.py PROGRAM ROOT [SECONDS, 30]. Passes when the
server neither ends nor loses an answer, and afterwards holds what it held before; memory is judged from 120 s on."""

import asyncio
import collections
import json
import pathlib
import random
import socket
import sys
import time

from harness import CHAT, Server, eventually

CLIENTS = 200
QUEUE_TIMEOUT = 20  # seconds; on a crowded machine somebody waits too long, and is told so
PATIENCE = 90  # seconds that an answer may take
ROUNDS = 6
GROWTH = 1.05  # of the memory, see grew()
# Seconds from which on growth means something; in a shorter run the allocator still warms up.
STEADY = 120
# What clients do, in percent.
KINDS = {"stream": 60, "leave": 15, "whole": 10, "slow": 5, "broken": 10}
BROKEN = (b"GET / HTTP/9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
          b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"G@T / HTTP/1.1\r\n\r\n", b"\r\n" * 2000)


def request(choose: random.Random, stream: bool) -> bytes:
    """A question with settings of any kind; one in ten has a body that is refused."""
    body = {**CHAT, "stream": stream, "seed": choose.randrange(1000), "max_tokens": choose.choice((16, 64, 128)),
            "temperature": choose.choice((0, 0, 0.8)),
            "diffusion": choose.choice(({}, {}, {"method": "sparse-dllm", "suppress_eos": True}, {"preset": "exact"},
                                        {"stream": "frames", "suppress_eos": True}))}
    text = json.dumps(body).encode()
    if choose.random() < 0.1:
        text = choose.choice((text[:-9], b"[]", text.replace(b'"seed"', b'"n": 99, "seed"')))
    return (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(text)) + text


class Load:
    def __init__(self, server: Server, seconds: float):
        self.server = server
        self.end = time.monotonic() + seconds
        self.counts: collections.Counter[str] = collections.Counter()
        self.lost: list[str] = []

    async def run(self) -> None:
        await asyncio.gather(*(self.client(random.Random(i)) for i in range(CLIENTS)))

    async def client(self, choose: random.Random) -> None:
        while time.monotonic() < self.end:
            [kind] = choose.choices(list(KINDS), list(KINDS.values()))
            try:
                outcome = await asyncio.wait_for(self.ask(kind, choose), PATIENCE)
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as problem:
                outcome = f"lost: {type(problem).__name__}"
            self.counts[f"{kind} {outcome}"] += 1
            if outcome.startswith("lost"):
                self.lost.append(f"{kind} {outcome}")
            if outcome == "429":
                await asyncio.sleep(choose.uniform(0.1, 0.5))

    async def ask(self, kind: str, choose: random.Random) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            if kind == "broken":
                writer.write(choose.choice(BROKEN))
                return (await reader.read(64))[9:12].decode() or "closed"
            writer.write(request(choose, stream=kind != "whole"))
            status = (await reader.readuntil(b"\r\n"))[9:12].decode()
            if kind == "leave":
                await self.leave(reader, writer, choose)
                return "left"
            text = await self.read(reader, slow=kind == "slow")
            complete = status != "200" or kind == "whole" or b"data: [DONE]" in text
            if not complete and b'"code":"queue_timeout"' in text:
                return "503"  # within the stream, which had begun when the request was let in
            return status if complete else f"lost: no end, {len(text)} bytes"
        finally:
            writer.close()

    async def leave(self, reader, writer, choose: random.Random) -> None:
        await asyncio.wait((asyncio.create_task(reader.read(choose.randrange(1, 4000))),), timeout=2)
        if choose.random() < 0.5:
            option = b"\1\0\0\0\0\0\0\0"  # closes with RST instead of FIN
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)

    async def read(self, reader, slow: bool) -> bytes:
        text = b""
        while piece := await reader.read(512 if slow else 65536):
            text += piece
            if slow:
                await asyncio.sleep(0.02)
        return text


def grew(memory: list[int]) -> bool:
    """Whether the rounds of the second half all hold more than any of the first did. What the allocator keeps wanders
    between 67 and 78 MB while 13 MB are in use, so that two moments tell nothing, and a slow leak needs a long run."""
    half = len(memory) // 2
    return min(memory[half:]) > max(memory[:half]) * GROWTH


def check(server: Server, seconds: float) -> list[str]:
    """What is wrong after the load."""
    assert server.post("/v1/chat/completions", CHAT).status == 200
    descriptors = server.descriptors()
    wrong, memory = [], []
    counts: collections.Counter[str] = collections.Counter()
    rounds = ROUNDS if seconds >= STEADY else 1  # each also waits for what is in the queue at its end
    for _ in range(rounds):
        load = Load(server, seconds / rounds)
        asyncio.run(load.run())
        server.wait_idle()
        memory.append(server.resident())
        counts += load.counts
        wrong += load.lost
    print(", ".join(f"{size >> 20} MB" for size in memory))
    print(", ".join(f"{kind}: {n}" for kind, n in sorted(counts.items())))
    if not counts["stream 200"] or not counts["leave left"]:
        wrong.append("too little was answered to tell")
    if seconds >= STEADY and grew(memory):
        wrong.append("memory grew")
    if not eventually(lambda: server.descriptors() <= descriptors, 20):
        wrong.append(f"{server.descriptors()} descriptors are open, {descriptors} were before")
    if server.metrics()["unmask_kv_bytes"] != 0:
        wrong.append("keys and values are kept for nobody")
    if server.post("/v1/chat/completions", CHAT).status != 200:
        wrong.append("a good request is not answered")
    return wrong


def main() -> int:
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 30
    with Server(sys.argv[1], pathlib.Path(sys.argv[2]), "--queue", "150",
                "--queue-timeout", str(QUEUE_TIMEOUT), "--no-log") as server:
        wrong = check(server, seconds)
    print("\n".join(wrong) or "nothing was lost")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
