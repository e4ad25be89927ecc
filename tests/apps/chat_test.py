#!/usr/bin/env python3
"""Talks with the program on a terminal of its own: chat_test.py PROGRAM ROOT."""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import sys
import tempfile
import termios
import time
import unittest

PROGRAM = ""
ROOT = pathlib.Path()
QUESTION = "Text: The code of the brave otter is 4821. Rain fell. Question: What is the code of the brave otter?"
ANSWER = "brave otter: 4821"
PROMPT = "> "
SECONDS = 60
UP, RIGHT, LEFT, END, DELETE = "\x1b[A", "\x1b[C", "\x1b[D", "\x1b[F", "\x1b[3~"
CTRL_A, CTRL_C, CTRL_D, CTRL_U = "\x01", "\x03", "\x04", "\x15"


class Terminal:
    """The program with a pseudo-terminal in the place of standard input, output and error."""

    def __init__(self, *arguments: str, state: str):
        environment = {**os.environ, "TERM": "xterm", "XDG_STATE_HOME": state, "LC_ALL": "C.UTF-8"}
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.execve(PROGRAM, [PROGRAM, *arguments], environment)
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.shown = ""
        self.seen = 0

    def pump(self, seconds: float) -> bool:
        if not select.select([self.file], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.file, 65536)
        except OSError:  # the other side is closed
            data = b""
        self.shown += data.decode(errors="replace")
        return data != b""

    def wait_for(self, text: str):
        """Until `text` is shown behind what the last call found."""
        end = time.time() + SECONDS
        while text not in self.shown[self.seen:]:
            if time.time() > end:
                raise AssertionError(f"{text!r} does not come: {self.shown[-1000:]!r}")
            self.pump(0.1)
        self.seen = self.shown.index(text, self.seen) + len(text)

    def send(self, text: str):
        data = text.encode()
        while data:
            data = data[os.write(self.file, data[:512]):]
            self.pump(0)

    def enter(self, text: str):
        self.send(text + "\r")

    def close(self) -> int:
        """The exit status, and nothing left to read. A program that does not end is killed."""
        end = time.time() + SECONDS
        while self.pump(max(end - time.time(), 0)):
            pass
        if time.time() > end:
            os.kill(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Chat(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def open(self, *arguments: str, length: tuple = ("-n", "32", "--steps", "16")) -> Terminal:
        terminal = Terminal("chat", "-m", str(ROOT / "models" / "demo"), *length, *arguments,
                            state=self.folder)
        terminal.wait_for(PROMPT)
        return terminal

    def leave(self, terminal: Terminal, status: int = 0):
        terminal.send(CTRL_D)
        self.assertEqual(terminal.close(), status)

    def history(self) -> list[str]:
        path = pathlib.Path(self.folder) / "unmask" / "chat_history"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def test_greets_answers_and_says_good_bye(self):
        terminal = self.open()
        self.assertRegex(terminal.shown, r"demo, method \S+, 32 tokens an answer")
        self.assertEqual(terminal.shown.count("trained to answer questions about a text"), 1)
        terminal.enter(QUESTION)
        terminal.wait_for(ANSWER)
        terminal.wait_for(PROMPT)
        self.leave(terminal)
        self.assertEqual(terminal.shown.count("trained to"), 1)

    def test_lines_are_edited(self):
        terminal = self.open()
        terminal.send("gone" + CTRL_U + "/set seed 99")
        terminal.send("\x7f\x7f1")  # backspace
        terminal.send(CTRL_A + RIGHT * 5 + "X" + LEFT + DELETE)
        terminal.send(END + "7\r")
        terminal.wait_for(PROMPT)
        self.leave(terminal)
        self.assertEqual(self.history(), ["/set seed 17"])

    def test_characters_of_several_bytes_are_one_each(self):
        terminal = self.open()
        terminal.send("/\u65e5\u00e4\u20ac" + "\x7f" * 2 + LEFT + "\u00fc\r")
        terminal.wait_for(PROMPT)
        self.leave(terminal)
        self.assertEqual(self.history(), ["/\u00fc\u65e5"])

    def test_history_is_kept_for_the_next_time(self):
        terminal = self.open()
        terminal.enter("/reset")
        terminal.wait_for(PROMPT)
        terminal.enter("/help")
        terminal.wait_for(PROMPT)
        self.leave(terminal)
        path = pathlib.Path(self.folder) / "unmask" / "chat_history"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        terminal = self.open()
        terminal.send(UP)
        terminal.wait_for("/help")
        terminal.send(UP)
        terminal.wait_for("reset")
        terminal.enter("")
        terminal.wait_for(PROMPT)
        self.leave(terminal)
        self.assertEqual(self.history(), ["/reset", "/help", "/reset"])

    def test_history_can_be_left_alone(self):
        terminal = self.open("--no-history")
        terminal.enter("/reset")
        terminal.wait_for(PROMPT)
        self.leave(terminal)
        self.assertEqual(os.listdir(self.folder), [])

    def test_commands_are_completed(self):
        terminal = self.open()
        terminal.send("/he\t\r")
        terminal.wait_for("/system TEXT")
        self.leave(terminal)

    def test_ctrl_c_clears_a_line_and_twice_leaves(self):
        terminal = self.open()
        terminal.send("never sent" + CTRL_C)
        terminal.wait_for("^C")
        terminal.wait_for(PROMPT)
        terminal.enter("/reset")
        terminal.wait_for(PROMPT)
        terminal.send(CTRL_C)
        terminal.wait_for("once more")
        terminal.wait_for(PROMPT)
        terminal.send(CTRL_C)
        self.assertEqual(terminal.close(), 0)
        self.assertEqual(self.history(), ["/reset"])

    def paste(self, text: str, marked: bool):
        terminal = self.open()
        if marked:
            terminal.send("\x1b[200~" + text.replace("\n", "\r") + "\x1b[201~")
        else:
            terminal.send(text)
        terminal.send("\r")
        terminal.wait_for(ANSWER)
        terminal.wait_for(PROMPT)
        self.leave(terminal)
        self.assertEqual(self.history(), [text])

    def test_long_lines_are_whole(self):
        # Longer than the 4,095 bytes that a terminal keeps of a line.
        self.paste(QUESTION.replace("Rain fell.", "Rain fell. " * 400 + "It was late."), marked=False)

    def test_pastes_keep_their_line_breaks(self):
        self.paste(QUESTION.replace(". ", ".\n\n"), marked=True)

    def test_a_paste_of_20000_bytes_is_whole(self):
        text = "".join(f"Line {i:05} of a long text.\n" for i in range(770)) + "/end"
        terminal = self.open(length=("-n", "1"))
        terminal.send("/system \x1b[200~" + text.replace("\n", "\r") + "\x1b[201~\r")
        terminal.wait_for(PROMPT)
        self.leave(terminal)
        self.assertEqual(self.history(), ["/system " + text])
        self.assertGreater(len(text), 20000)

    def test_ctrl_c_ends_an_answer_with_its_text_so_far(self):
        terminal = self.open("--suppress-eos", length=("-n", "1024", "--steps", "1024", "--block-length",
                                                           "1024"))
        terminal.enter(QUESTION)
        terminal.wait_for("step 3/")
        start = time.time()
        terminal.send(CTRL_C)
        terminal.wait_for("(interrupted after step ")
        self.assertLess(time.time() - start, 2)  # half a second on a machine of one's own
        terminal.wait_for(PROMPT)
        self.leave(terminal)

    def test_sigterm_leaves_with_the_terminal_as_it_was(self):
        terminal = self.open()
        modes = [termios.tcgetattr(terminal.file)[3]]
        os.kill(terminal.pid, signal.SIGTERM)
        self.assertEqual(terminal.close(), 128 + signal.SIGTERM)
        modes.append(termios.tcgetattr(terminal.file)[3])
        canonical = termios.ICANON | termios.ECHO
        self.assertEqual([mode & canonical for mode in modes], [0, canonical])

    def test_a_conversation_is_saved_and_loaded(self):
        path = os.path.join(self.folder, "saved.jsonl")
        terminal = self.open("--no-history", "--system", "Be brief.")
        terminal.enter(QUESTION)
        terminal.wait_for(ANSWER)
        terminal.enter(f"/save {path}")
        terminal.wait_for("3 messages")
        terminal.enter("/undo")
        terminal.wait_for("1 messages")
        terminal.enter(f"/load {path}")
        terminal.wait_for("3 messages")
        self.leave(terminal)
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
        self.assertEqual([json.loads(line) for line in lines],
                         [{"role": "system", "content": "Be brief."},
                          {"role": "user", "content": QUESTION},
                          {"role": "assistant", "content": ANSWER}])

    def test_retry_and_set(self):
        terminal = self.open("--no-history")
        for command, said in (("/retry", "nothing was asked"), ("/set tempature 1", "error"),
                              ("/set temperature -1", "--temperature"), ("/undo", "no answer"),
                              ("/save", "takes FILE"), ("/wrong", "unknown command '/wrong'")):
            terminal.enter(command)
            terminal.wait_for(said)
            terminal.wait_for(PROMPT)
        terminal.enter("/set temperature 0")
        terminal.wait_for(PROMPT)
        terminal.enter(QUESTION)
        terminal.wait_for(ANSWER)
        terminal.enter("/retry")
        terminal.wait_for(ANSWER)
        self.leave(terminal)


class LiveView(unittest.TestCase):
    def test_shows_the_canvas_and_the_cursor_again(self):
        with tempfile.TemporaryDirectory() as folder:
            terminal = Terminal("run", "-m", str(ROOT / "models" / "demo"), "-n", "32", "--steps", "16",
                                "--live", "-p", QUESTION, state=folder)
            self.assertEqual(terminal.close(), 0)
        self.assertIn("\u2591", terminal.shown)  # a mask
        self.assertRegex(terminal.shown, r"step \d+/16")
        self.assertTrue(terminal.shown.rindex("\x1b[?25h") > terminal.shown.rindex("\x1b[?25l"))
        self.assertRegex(terminal.shown, re.escape(ANSWER) + "\r\n")


if __name__ == "__main__":
    PROGRAM, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
