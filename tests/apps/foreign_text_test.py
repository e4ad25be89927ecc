#!/usr/bin/env python3
"""What comes from models, files, arguments and clients does not steer the terminal: foreign_text_test.py PROGRAM ROOT."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sys
import tempfile
import unittest

import chat_test as chat
import cli_test as cli
import faults_test as faults

ESCAPE, C1 = "\x1b[2J", "\u009b2J"  # some terminals take the one character for the two
REVERSED = "\u202e"  # shows what follows from right to left
HOSTILE = f"a{ESCAPE}{C1}\x07\x7f{REVERSED}\u2066b"
# What the program itself sends: colours, the cursor, erased lines, marked pastes.
OWN = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[hl]|\?2004[hl]|\d+A|J|K)")
STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def byte_name(byte: int) -> str:
    """How a byte that shows nothing is spelt in the vocabulary of a byte-level tokenizer."""
    hidden = [b for b in range(256) if not (33 <= b <= 126 or 161 <= b <= 172 or 174 <= b <= 255)]
    return chr(256 + hidden.index(byte)) if byte in hidden else chr(byte)


def rewrite(file: pathlib.Path, change):
    value = json.loads(file.read_text("utf-8"))
    change(value)
    file.write_text(json.dumps(value), "utf-8")


def speaks_in_controls(tokenizer: dict):
    """The tokens of 4, 8, 2 and 1 mean ESC, U+009B in two bytes and BEL, and the other way round."""
    vocabulary = tokenizer["model"]["vocab"]
    for digit, byte in zip("4821", b"\x1b\xc2\x9b\x07"):
        other = byte_name(byte)
        vocabulary[digit], vocabulary[other] = vocabulary[other], vocabulary[digit]


SPOKEN = "\x1b\u009b\x07"  # by that model, instead of 4821
QUESTION = cli.PROMPT.replace("4821", SPOKEN)


@contextlib.contextmanager
def hostile_model():
    """Its name, its note and its tokens are hostile."""
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / f"m{HOSTILE}"
        shutil.copytree(cli.demo(), model)
        rewrite(model / "tokenizer.json", speaks_in_controls)
        rewrite(model / "config.json", lambda config: config.update(unmask_note=HOSTILE))
        yield model


class ForeignText(cli.Case):
    def assert_harmless(self, shown: str, *parts: str):
        for part in parts:
            self.assertIn(part, shown)
        found = STEERING.search(OWN.sub("", shown))
        self.assertIsNone(found, ascii(shown))

    def on_terminal(self, *words: str):
        return faults.on_terminal(*words)

    def test_answers(self):
        with hostile_model() as model:
            ids = cli.unmask("tokenize", "-m", str(model), "--ids", "-p", HOSTILE).stdout.strip()
            made = ("-m", str(model), "-n", "32", "--steps", "16")
            for words in (("run", *made, "-p", QUESTION), ("run", *made, "-p", QUESTION, "--live"),
                          ("run", *made, "-p", QUESTION, "--json"),
                          ("run", *made, "-p", QUESTION, "--trace", "-"),
                          ("run", *made[:2], "--fill", f"{HOSTILE} ___{{2}}"),
                          ("tokenize", *made[:2], "-p", HOSTILE),
                          ("tokenize", *made[:2], "-p", HOSTILE, "--json"),
                          ("tokenize", *made[:2], "--decode", ids),
                          ("score", *made[:2], "-p", "x", "-a", HOSTILE, "--mc-samples", "16")):
                self.assert_harmless(self.on_terminal(*words), "otter" if QUESTION in words else "a")

    def test_what_goes_elsewhere_keeps_every_byte(self):
        with hostile_model() as model:
            result = cli.unmask("run", "-m", str(model), "-n", "32", "--steps", "16", "-p", QUESTION)
            self.assertEqual(result.stdout, cli.ANSWER.replace("4821", SPOKEN) + "\n")
            ids = cli.unmask("tokenize", "-m", str(model), "--ids", "-p", HOSTILE).stdout
            self.assertEqual(cli.unmask("tokenize", "-m", str(model), "--decode", ids).stdout,
                             HOSTILE + "\n")
            text = cli.unmask("tokenize", "-m", str(model), "--decode", ids, "--json").stdout
            self.assertIsNone(STEERING.search(text), "escapes mean the same in JSON")
            self.assertEqual(json.loads(text)["text"], HOSTILE)

    def test_models(self):
        with hostile_model() as model:
            self.assert_harmless(self.on_terminal("inspect", str(model)), "parameters")
            self.assert_harmless(self.on_terminal("inspect", str(model), "--json"), '"parameters"')
            (model / "chat_template.jinja").write_text("{% " + HOSTILE, "utf-8")
            self.assert_harmless(self.on_terminal("inspect", str(model)), "chat template")
            cached = model.parent / "hub" / f"models--of--{HOSTILE}" / "snapshots" / "1"
            shutil.copytree(model, cached)
            rewrite(cached / "config.json", lambda config: config.update(n_layers=HOSTILE))
            os.environ["HF_HUB_CACHE"] = str(cached.parents[2])
            self.addCleanup(os.environ.pop, "HF_HUB_CACHE")
            self.assert_harmless(self.on_terminal("models"), "of/a")
            self.assert_harmless(self.on_terminal("models", "--json"), "of/a")
            os.environ["HF_HUB_CACHE"] = f"/none{HOSTILE}"
            self.assert_harmless(self.on_terminal("models"), "no model in /none")

    def test_metadata(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "model.gguf"
            name = "n" * len(HOSTILE.encode())
            shutil.copytree(cli.demo(), pathlib.Path(folder) / name)
            cli.unmask("convert", "-m", f"{folder}/{name}", "--to", "gguf", "-o", str(file))
            data = file.read_bytes()
            self.assertIn(name.encode(), data)
            file.write_bytes(data.replace(name.encode(), HOSTILE.encode()))
            self.assert_harmless(self.on_terminal("inspect", str(file)), "general.name")
            self.assert_harmless(self.on_terminal("inspect", str(file), "--json"), "general.name")

    def test_templates(self):
        with hostile_model() as model:
            for template in ("{{ raise_exception('" + HOSTILE + "') }}", "{{ " + HOSTILE + " }}",
                             "{{ 'x'." + HOSTILE[-1] + "(" + HOSTILE + ") }}"):
                (model / "chat_template.jinja").write_text(template, "utf-8")
                self.assert_harmless(self.on_terminal("run", "-m", str(model), "-p", "x", "-n", "4"),
                                     "unmask: error: ")

    def test_data(self):
        with hostile_model() as model, tempfile.TemporaryDirectory() as folder:
            prompts, data = (pathlib.Path(folder) / f"{name}{HOSTILE}.jsonl" for name in "pd")
            line = {"id": HOSTILE, "prompt": QUESTION, "answer": HOSTILE, "task": HOSTILE}
            prompts.write_text(json.dumps(line, ensure_ascii=False) + "\n", "utf-8")
            data.write_text(json.dumps(line) + "\n" + json.dumps(line | {"metric": HOSTILE}) + "\n", "utf-8")
            made = ("-m", str(model), "-n", "16")
            self.assert_harmless(self.on_terminal("batch", *made, "-f", str(prompts)), '"id": "a')
            self.assert_harmless(self.on_terminal("eval", *made, "-f", str(prompts)))
            self.assert_harmless(self.on_terminal("eval", *made, "-f", str(data)))
            self.assert_harmless(self.on_terminal("batch", *made, "-f", str(model)), "error: ")

    def test_arguments(self):
        demo = cli.demo()
        for words in (("run", "-m", HOSTILE, "-p", "x"), ("inspect", HOSTILE), (HOSTILE,),
                      ("run", "-m", demo, "-f", HOSTILE), ("run", f"--{HOSTILE}"),
                      ("run", "-m", demo, "-p", "x", "--method", HOSTILE),
                      ("run", "-m", demo, "-p", "x", "--json-schema", HOSTILE),
                      ("batch", "-m", demo, "-f", HOSTILE), ("eval", "-m", demo, "-f", HOSTILE),
                      ("convert", "-m", demo, "--to", "gguf", "-o", f"/none/{HOSTILE}"),
                      ("calibrate", "-m", demo, "-f", HOSTILE), ("bench", "--shape", HOSTILE),
                      ("tokenize", "-m", demo, "--decode", HOSTILE),
                      ("serve", "-m", demo, "--unix", f"/none/{HOSTILE}"),
                      ("score", "-m", demo, "-p", "x", "-a", "y", "--lora", HOSTILE)):
            self.assert_harmless(self.on_terminal(*words), "unmask: error: ")

    def test_a_conversation(self):
        """The line editor sends codes of its own, so only what is not its own is looked for."""
        with hostile_model() as model:
            terminal = chat.Terminal("chat", "-m", str(model), "-n", "32", "--steps", "16",
                                     "--no-history", state=str(model.parent))
            terminal.wait_for(chat.PROMPT)
            talk = model.parent / "talk"
            talk.write_text(json.dumps({"role": "user", "content": QUESTION}), "utf-8")
            terminal.enter(f"/load {talk}")
            terminal.wait_for("otter: \ufffd")
            terminal.wait_for(chat.PROMPT)
            talk.write_text(json.dumps({"role": HOSTILE, "content": "x"}), "utf-8")
            terminal.enter(f"/load {talk}")
            terminal.wait_for("cannot speak here")
            terminal.wait_for(chat.PROMPT)
            terminal.send(chat.CTRL_D)
            self.assertEqual(terminal.close(), 0)
            for code in (ESCAPE, C1, SPOKEN, REVERSED, "\u2066", "\x7f"):
                self.assertNotIn(code, terminal.shown)

    def test_the_log_of_a_server(self):
        with hostile_model() as model:
            terminal = chat.Terminal("serve", "-m", str(model), "--port", "0", state=str(model.parent))
            terminal.wait_for("ready")
            port = int(re.search(r"127\.0\.0\.1:(\d+)", terminal.shown)[1])
            for path, more, body in ((f"/{HOSTILE}", f"X-Request-Id: {HOSTILE}\r\n", {}),
                                     ("/v1/completions", "", {"model": HOSTILE, "prompt": "x"}),
                                     ("/v1/completions", "", {"prompt": QUESTION, "max_tokens": 4})):
                data = json.dumps(body)
                with socket.create_connection(("127.0.0.1", port), chat.SECONDS) as client:
                    client.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}"
                                   f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
                                   f"{data}".encode())
                    while client.recv(65536):
                        pass
            terminal.wait_for('"status":200')
            os.kill(terminal.pid, signal.SIGTERM)
            terminal.close()
            self.assert_harmless(terminal.shown, '"status":400', '"status":404', '"status":200')


if __name__ == "__main__":
    cli.PROGRAM, cli.ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    chat.PROGRAM = cli.PROGRAM
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
