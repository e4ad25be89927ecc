"""`unmask serve` as a process, and clients for it: whole replies, streams, bytes as they are."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

PATIENCE = 60  # seconds: the machine may be busy, and sanitizers are slow
QUESTION = "Text: The code of the brave otter is 4821. Rain fell. Question: What is the code of the brave otter?"
ANSWER = "brave otter: 4821"
CHAT = {"messages": [{"role": "user", "content": QUESTION}], "seed": 1}
# Some seconds of work: a token a step, each over the whole canvas.
LONG = {**CHAT, "max_tokens": 900, "diffusion": {"preset": "exact", "early_stop": False, "suppress_eos": True,
                                                 "gen_length": 900, "steps": 900}}


class Server:
    """The program, ready to answer; `with` ends it and checks that it ends well."""

    def __init__(self, program: str, root: pathlib.Path, *options: str, key: str = "", ready: bool = True):
        environment = {**os.environ, "UNMASK_API_KEY": key} if key else None
        where = () if "--unix" in options else ("--port", "0")
        self.process = subprocess.Popen(
            [program, "serve", "-m", str(root / "models/demo"), *where, *options],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
        self.key = key
        self.lines: list[str] = []
        self.heard = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()
        self.address = self.wait_for(r"listening on (\S+)")[1]
        self.port = urllib.parse.urlsplit(self.address).port
        if ready:
            self.wait_for("unmask: ready")

    def _listen(self):
        for line in self.process.stderr:
            with self.heard:
                self.lines.append(line)
                self.heard.notify_all()

    def wait_for(self, pattern: str) -> re.Match:
        """The first line of its output that matches."""
        def found():
            return next((m for line in self.lines if (m := re.search(pattern, line))), None)
        with self.heard:
            self.heard.wait_for(lambda: found() or self.process.poll() is not None, PATIENCE)
            if not (match := found()):
                raise AssertionError(f"{pattern} does not come: {self.lines[-5:]}")
            return match

    def connect(self) -> socket.socket:
        if self.port:
            return socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE)
        client.connect(self.address)
        return client

    def ask(self, method: str, path: str, body=None, **headers: str) -> "Reply":
        """One request over a connection of its own; `body` is JSON unless it is bytes."""
        connection = http.client.HTTPConnection("localhost", self.port or 1, timeout=PATIENCE)
        connection.sock = self.connect()
        sent = {"Host": f"localhost:{self.port}"}
        if self.key:
            sent["Authorization"] = f"Bearer {self.key}"
        if body is not None:
            sent["Content-Type"] = "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused while it sends
                connection.request(method, path, body, {name: v for name, v in sent.items() if v is not None})
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> "Reply":
        return self.ask("GET", path, **headers)

    def post(self, path: str, body, **headers: str) -> "Reply":
        return self.ask("POST", path, body, **headers)

    def stream(self, path: str, body: dict) -> "Stream":
        return Stream(self, path, body)

    def metrics(self) -> dict[str, float]:
        text = self.get("/metrics").text
        return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}

    def wait_metric(self, name: str, holds, seconds: float = PATIENCE) -> float:
        """Until a counter or gauge is as wanted; the seconds that took."""
        begin = time.monotonic()
        while not holds(self.metrics().get(name, 0)):
            if time.monotonic() - begin > seconds:
                raise AssertionError(f"{name} stays {self.metrics().get(name)}")
            time.sleep(0.01)
        return time.monotonic() - begin

    def wait_idle(self):
        self.wait_metric("unmask_requests_running", lambda n: n == 0)
        self.wait_metric("unmask_requests_waiting", lambda n: n == 0)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident(self) -> int:
        """Bytes of memory that the program holds."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, kind, *_):
        status = self.process.poll()
        if status is None:
            try:
                status = self.stop()
            finally:
                self.process.kill()
        self.process.wait()
        if kind is None and status != 0:
            raise AssertionError(f"the server ended with {status}: {self.lines[-20:]}")


class Reply:
    def __init__(self, status: int, headers: dict[str, str], body: bytes):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self) -> dict:
        return self.json["error"]


class Stream:
    """A reply of events, read as they come."""

    def __init__(self, server: Server, path: str, body: dict):
        self.socket = server.connect()
        payload = json.dumps({**body, "stream": True}).encode()
        key = f"Authorization: Bearer {server.key}\r\n" if server.key else ""
        self.socket.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{key}Content-Type: application/json\r\n"
                            f"Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
        self.response = http.client.HTTPResponse(self.socket)
        self.response.begin()
        self.status = self.response.status

    def events(self):
        """The JSON of each event; "[DONE]" as it is, comments left out."""
        for line in self.response:
            if line.startswith(b"data: "):
                text = line[6:].strip().decode()
                yield text if text == "[DONE]" else json.loads(text)

    def next(self):
        return next(self.events())

    def rest(self) -> list:
        return list(self.events())

    def close(self):
        self.socket.close()
        self.response.close()

    def reset(self):
        """Ends the connection with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()


def text_of(events: list, index: int = 0) -> str:
    """What a stream of chat or completion events says in one of its choices."""
    text = ""
    for event in events:
        for choice in () if event == "[DONE]" else event.get("choices", ()):
            if choice["index"] == index:
                text += choice.get("text", "") or choice.get("delta", {}).get("content") or ""
    return text


def eventually(holds, seconds: float = PATIENCE) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
