#!/usr/bin/env python3
"""What `unmask serve` does while it runs: streams, cancelling, queues, many at once, who may ask, and how it
ends: serve_running_test.py PROGRAM ROOT."""

import concurrent.futures
import json
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from harness import ANSWER, CHAT, LONG, PATIENCE, Server, Stream, eventually, text_of

PROGRAM = ""
ROOT = pathlib.Path()
CHAT_PATH = "/v1/chat/completions"
TEXT_PATH = "/v1/completions"


def start(*options: str, **how) -> Server:
    return Server(PROGRAM, ROOT, *options, **how)


class Streams(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = start()
        cls.addClassCleanup(cls.server.__exit__, None)

    def test_chunks_come_in_order(self):
        body = {**CHAT, "stream_options": {"include_usage": True}}
        events = self.server.stream(CHAT_PATH, body).rest()
        first, last, usage, done = events[0], events[-3], events[-2], events[-1]
        self.assertEqual(first["choices"][0]["delta"], {"role": "assistant", "content": ""})
        self.assertEqual((last["choices"][0]["delta"], last["choices"][0]["finish_reason"]), ({}, "stop"))
        self.assertIn("seconds", last["diffusion"])
        self.assertEqual((usage["choices"], usage["usage"]["completion_tokens"]), ([], 8))
        self.assertEqual(done, "[DONE]")
        self.assertEqual(text_of(events), ANSWER)
        self.assertEqual({e["id"] for e in events[:-1]}, {first["id"]})
        self.assertEqual({e["usage"] for e in events[:-2] if e["usage"] is not None}, set())

    def test_a_conversation_goes_on_from_what_is_kept(self):
        with start("--model-block", "32") as server:
            first, again = (server.post(CHAT_PATH, CHAT).json for _ in range(2))
            metrics = server.metrics()
        texts = [reply["choices"][0]["message"]["content"] for reply in (first, again)]
        self.assertEqual(texts[0], texts[1])
        cached = [r["usage"]["prompt_tokens_details"]["cached_tokens"] for r in (first, again)]
        self.assertEqual((cached[0], cached[1] % 32), (0, 0))
        self.assertGreater(cached[1], 0)
        self.assertEqual(metrics["unmask_cached_tokens_total"], cached[1])
        self.assertGreater(metrics["unmask_prefix_bytes"], 0)

    def test_pieces_make_the_whole_reply(self):
        for members in ({}, {"stop": ["zz", "4"]}, {"n": 3, "temperature": 1.2}, {"max_tokens": 5},
                        {"diffusion": {"preset": "exact"}}, {"diffusion": {"method": "sparse-dllm"}}):
            body = {**CHAT, **members}
            whole = self.server.post(CHAT_PATH, body).json
            events = self.server.stream(CHAT_PATH, body).rest()
            for choice in whole["choices"]:
                self.assertEqual(text_of(events, choice["index"]), choice["message"]["content"], members)
                [end] = [c["finish_reason"] for e in events[:-1] for c in e["choices"]
                         if c["index"] == choice["index"] and c["finish_reason"]]
                self.assertEqual(end, choice["finish_reason"])

    def test_completions_stream_too(self):
        body = {"prompt": ["Hello", "The fox"], "seed": 1, "max_tokens": 12, "echo": True}
        whole = self.server.post(TEXT_PATH, body).json
        events = self.server.stream(TEXT_PATH, body).rest()
        for choice in whole["choices"]:
            self.assertEqual(text_of(events, choice["index"]), choice["text"])

    def test_frames_add_up_to_the_canvas(self):
        body = {**CHAT, "diffusion": {"stream": "frames", "max_fps": 60, "preset": "exact"}}
        events = self.server.stream(CHAT_PATH, body).rest()
        frames = [e["diffusion"] for e in events[:-1] if "type" in e.get("diffusion", {})]
        self.assertEqual([frames[0]["type"], frames[-1]["type"]], ["canvas", "end"])
        canvas = {}
        for frame in frames[1:-1]:
            for position, _, text, _ in frame["commits"]:
                self.assertNotIn(position, canvas)
                canvas[position] = text
        self.assertEqual("".join(canvas[i] for i in range(frames[-1]["answer"])), ANSWER)
        self.assertTrue(all(e["choices"] for e in events[:-1]))
        self.assertEqual(text_of(events), ANSWER)

    def test_errors_come_before_the_stream(self):
        stream = self.server.stream(CHAT_PATH, {**CHAT, "diffusion": {"stepz": 1}})
        self.assertEqual((stream.status, json.loads(stream.response.read())["error"]["param"]),
                         (400, "diffusion.stepz"))


class Leaving(unittest.TestCase):
    """Clients that go before the end."""

    @classmethod
    def setUpClass(cls):
        cls.server = start("--parallel", "1")
        cls.addClassCleanup(cls.server.__exit__, None)

    def setUp(self):
        self.gone = self.server.metrics().get('unmask_cancelled_total{reason="disconnect"}', 0)

    def expect_cancel(self, count: int = 1):
        self.server.wait_metric('unmask_cancelled_total{reason="disconnect"}', lambda n: n >= self.gone + count, 10)
        self.server.wait_idle()
        self.assertEqual(self.server.post(CHAT_PATH, CHAT).status, 200)

    def begin(self) -> Stream:
        stream = self.server.stream(CHAT_PATH, LONG)
        stream.next()
        self.server.wait_metric("unmask_requests_running", lambda n: n == 1)
        return stream

    def test_a_stream_that_is_left_frees_its_slot_within_a_step(self):
        for leave in (Stream.close, Stream.reset, lambda s: s.socket.shutdown(socket.SHUT_WR)):
            self.gone = self.server.metrics().get('unmask_cancelled_total{reason="disconnect"}', 0)
            stream = self.begin()
            leave(stream)
            steps = self.server.metrics()["unmask_denoise_steps_total"]
            self.expect_cancel()
            after = self.server.metrics()["unmask_denoise_steps_total"]
            self.assertLess(after - steps, 100)  # of 900; the good request has some of them
            self.assertEqual(self.server.metrics()["unmask_kv_bytes"], 0)

    def test_a_whole_reply_is_not_waited_for(self):
        client = self.server.connect()
        body = json.dumps(LONG).encode()
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.server.wait_metric("unmask_requests_running", lambda n: n == 1)
        client.close()
        self.expect_cancel()

    def test_gone_before_its_turn(self):
        running = self.begin()
        waiting = self.server.stream(CHAT_PATH, LONG)
        self.server.wait_metric("unmask_requests_waiting", lambda n: n == 1)
        waiting.close()
        self.server.wait_metric("unmask_requests_waiting", lambda n: n == 0)
        self.assertEqual(self.server.metrics()["unmask_requests_running"], 1)
        running.close()
        self.expect_cancel(2)

    def test_a_stop_string_ends_the_work(self):
        stopped = self.server.metrics().get('unmask_cancelled_total{reason="stop"}', 0)
        body = {**LONG, "stop": [" "], "diffusion": {**LONG["diffusion"], "block_length": 4}}
        reply = self.server.post(CHAT_PATH, body).json
        self.assertEqual(reply["choices"][0]["finish_reason"], "stop")
        self.assertLess(reply["diffusion"]["steps"], 900)
        self.server.wait_metric('unmask_cancelled_total{reason="stop"}', lambda n: n == stopped + 1)


class Queue(unittest.TestCase):
    def test_a_full_queue_is_429(self):
        with start("--parallel", "1", "--queue", "2") as server:
            streams = [server.stream(CHAT_PATH, LONG)]
            server.wait_metric("unmask_requests_running", lambda n: n == 1)
            streams += [server.stream(CHAT_PATH, LONG) for _ in range(2)]
            reply = server.post(CHAT_PATH, CHAT)
            self.assertEqual((reply.status, reply.error["code"]), (429, "queue_full"))
            self.assertTrue(1 <= int(reply.headers["retry-after"]) <= 60)
            self.assertEqual(server.metrics()['unmask_refused_total{reason="queue_full"}'], 1)
            self.assertEqual(server.get("/health").status, 200)
            for stream in streams:
                stream.close()
            server.wait_idle()
            self.assertEqual(server.post(CHAT_PATH, CHAT).status, 200)

    def test_what_does_not_fit_beside_others_waits(self):
        memory = 1e-3  # doubled until one request fits: then two do not
        while True:
            with start("--memory", str(memory)) as server:
                first = server.stream(CHAT_PATH, LONG)
                if first.status != 200:
                    self.assertIn(b"out_of_memory_plan", first.response.read())
                    memory *= 2
                    continue
                second = server.stream(CHAT_PATH, LONG)
                server.wait_metric("unmask_requests_waiting", lambda n: n == 1)
                steps = server.metrics()["unmask_denoise_steps_total"]
                server.wait_metric("unmask_denoise_steps_total", lambda n: n > steps + 20)
                metrics = server.metrics()
                self.assertEqual((metrics["unmask_requests_running"], metrics["unmask_requests_waiting"]), (1, 1))
                first.close()
                server.wait_metric("unmask_requests_waiting", lambda n: n == 0)
                server.wait_metric("unmask_requests_running", lambda n: n == 1)
                second.close()
                server.wait_idle()
                return

    def test_waiting_has_an_end(self):
        with start("--parallel", "1", "--queue-timeout", "1") as server:
            running = server.stream(CHAT_PATH, LONG)
            server.wait_metric("unmask_requests_running", lambda n: n == 1)
            reply = server.post(CHAT_PATH, CHAT)
            running.close()
            self.assertEqual((reply.status, reply.error["code"]), (503, "queue_timeout"))
            self.assertIn("retry-after", reply.headers)

    def test_silence_is_broken(self):
        with start("--parallel", "1", "--ping", "1") as server:
            running = server.stream(CHAT_PATH, LONG)
            running.next()
            waiting = server.stream(CHAT_PATH, CHAT)
            self.assertTrue(any(line == b": ping\n" for line in waiting.response))
            running.close()
            self.assertEqual(text_of(waiting.rest()), ANSWER)


class Together(unittest.TestCase):
    def test_eight_at_a_time_answer_as_alone(self):
        choose = random.Random(4)
        bodies = [{**CHAT, "seed": i, "max_tokens": choose.choice((9, 32, 64)),
                   "temperature": choose.choice((0, 0.9)), "n": choose.choice((1, 1, 2)),
                   "diffusion": choose.choice(({}, {"preset": "exact"}, {"method": "sparse-dllm"},
                                               {"method": "dkv-cache"}, {"preset": "fast"}))}
                  for i in range(40)]
        with start() as server:
            alone = [server.post(CHAT_PATH, body).json["choices"] for body in bodies]
            leaving = [server.stream(CHAT_PATH, LONG) for _ in range(2)]
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                replies = pool.map(lambda body: server.post(CHAT_PATH, body), bodies)
                for number, reply in enumerate(replies):
                    self.assertEqual(reply.json["choices"], alone[number], bodies[number])
                    if number == 20:
                        leaving[0].reset()
            leaving[1].close()


class Access(unittest.TestCase):
    def test_keys(self):
        with start(key="secret") as server:
            self.assertEqual(server.post(CHAT_PATH, CHAT).status, 200)
            self.assertEqual(server.get("/v1/models", Authorization=None, X_Api_Key="secret").status, 200)
            for wrong in ("Bearer wrong", "Bearer ", "Basic secret", "Bearer " + "x" * 10_000, None):
                for path in ("/v1/models", "/metrics", "/props", CHAT_PATH):
                    method = "POST" if path == CHAT_PATH else "GET"
                    reply = server.ask(method, path, CHAT if method == "POST" else None, Authorization=wrong)
                    self.assertEqual((reply.status, reply.error["code"]), (401, "invalid_api_key"))
            for free in ("/", "/app.js", "/health"):
                self.assertEqual(server.get(free, Authorization=None).status, 200)
            self.assertEqual(server.stream(CHAT_PATH, CHAT).rest()[-1], "[DONE]")
        self.assertFalse(any("secret" in line for line in server.lines))

    def test_hosts_and_origins(self):
        with start("--allow-origin", "https://good.example", "--allow-host", "model.example") as server:
            for host in ("evil.example", "127.0.0.1.evil.example", "169.254.0.1"):
                self.assertEqual(server.get("/health", Host=host).error["code"], "host_not_allowed")
            for host in (f"localhost:{server.port}", "127.0.0.1", "[::1]:80", "model.example"):
                self.assertEqual(server.get("/health", Host=host).status, 200, host)
            evil = server.post(CHAT_PATH, CHAT, Origin="https://evil.example")
            self.assertEqual((evil.status, evil.error["code"]), (403, "origin_not_allowed"))
            asks = {"Access_Control_Request_Method": "POST"}
            evil = server.ask("OPTIONS", CHAT_PATH, Origin="https://evil.example", **asks)
            self.assertEqual(evil.status, 403)
            self.assertFalse([name for name in evil.headers if name.startswith("access-control")])
            good = server.ask("OPTIONS", CHAT_PATH, Origin="https://good.example", **asks)
            self.assertEqual((good.status, good.headers["access-control-allow-origin"]), (204, "https://good.example"))
            good = server.post(CHAT_PATH, CHAT, Origin="https://good.example")
            self.assertEqual((good.status, good.headers["access-control-allow-origin"]), (200, "https://good.example"))
            self.assertEqual(server.post(CHAT_PATH, CHAT, Origin=f"http://localhost:{server.port}").status, 200)

    def test_other_machines_need_a_key(self):
        command = [PROGRAM, "serve", "-m", str(ROOT / "models/demo"), "--port", "0", "--host", "0.0.0.0"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("--api-key-file", ended.stderr)

    def test_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "socket"
            with start("--unix", str(path)) as server:
                self.assertEqual(path.stat().st_mode & 0o777, 0o600)
                self.assertEqual(server.post(CHAT_PATH, CHAT).status, 200)
                command = ["curl", "-sN", "--unix-socket", str(path), "http://any/v1/chat/completions",
                           "-H", "Content-Type: application/json", "-d", json.dumps({**CHAT, "stream": True})]
                said = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE).stdout
                self.assertTrue(said.endswith("data: [DONE]\n\n"), said)
            self.assertFalse(path.exists())


class Life(unittest.TestCase):
    def test_before_the_model_is_there(self):
        with start(ready=False) as server:
            reply = server.get("/health")
            seen = reply.status
            if seen == 503:
                self.assertEqual(reply.json, {"error": {"code": 503, "message": "Loading model",
                                                        "type": "unavailable_error"}})
            self.assertTrue(eventually(lambda: server.get("/health").status == 200))
            self.assertEqual(server.post(CHAT_PATH, CHAT).status, 200)
        if seen != 503:
            self.skipTest("the model was loaded sooner than a request could be sent")

    def test_a_signal_lets_two_hundred_streams_end(self):
        with start("--parallel", "8", "--queue", "400", "--grace", "3") as server:
            body = {**CHAT, "max_tokens": 200, "diffusion": {"preset": "exact", "suppress_eos": True}}
            streams = [server.stream(CHAT_PATH, body) for _ in range(200)]
            server.wait_metric("unmask_requests_running", lambda n: n == 8)
            ends = []
            readers = [threading.Thread(target=lambda s=s: ends.append(s.rest()[-1])) for s in streams]
            for reader in readers:
                reader.start()
            self.assertEqual(server.stop(), 0)
            for reader in readers:
                reader.join(PATIENCE)
        said = ["done" if end == "[DONE]" else end["error"]["code"] for end in ends]
        self.assertEqual(len(said), 200)
        self.assertEqual(set(said) - {"done"}, {"shutting_down"})

    def test_what_runs_may_end_and_what_comes_is_refused(self):
        with start("--grace", "60") as server:
            stream = server.stream(CHAT_PATH, {**LONG, "max_tokens": 300, "diffusion": {
                **LONG["diffusion"], "gen_length": 300, "steps": 300}})
            server.wait_metric("unmask_requests_running", lambda n: n == 1)
            idle = server.connect()
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(idle.recv(1), b"")
            with self.assertRaises(ConnectionRefusedError):
                server.get("/health")
            self.assertEqual(stream.rest()[-1], "[DONE]")
            self.assertEqual(server.process.wait(PATIENCE), 0)

    def test_a_second_signal_ends_at_once(self):
        server = start("--grace", "60")
        stream = server.stream(CHAT_PATH, LONG)
        server.wait_metric("unmask_requests_running", lambda n: n == 1)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        self.assertEqual(server.stop(signal.SIGINT), 130)
        stream.close()

    def test_an_idle_server_ends_promptly_also_while_it_loads(self):
        for ready in (True, False):
            server = start(ready=ready)
            begin = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - begin, 5)

    def test_lines_of_the_log_hold_no_text(self):
        with start() as server:
            server.post(CHAT_PATH, CHAT)
            server.get("/nowhere/otter")
            server.wait_for('"endpoint":"other"')
            lines = [json.loads(line) for line in server.lines if line.startswith("{")]
        self.assertEqual([(line["endpoint"], line["status"]) for line in lines],
                         [("/chat/completions", 200), ("other", 404)])
        self.assertFalse(any("otter" in line for line in server.lines))


def main() -> None:
    global PROGRAM, ROOT
    PROGRAM, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1])


if __name__ == "__main__":
    main()
