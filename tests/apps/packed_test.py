"""Packed models: one file in the place of a model, read by its description, damaged, made anew."""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM, ROOT = sys.argv[1], Path(sys.argv[2])
DEMO = ROOT / "models" / "demo"
GGUF = ROOT / "tests" / "golden" / "gguf-llada-tiny" / "model.gguf"


def unmask(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, *arguments], text=True, capture_output=True, timeout=120)


def directory_of(path: Path) -> dict:
    """By the description of the format and nothing of the program's."""
    data = path.read_bytes()
    assert data[:8] == b"UNMASKPK" and data[-8:] == b"UNMASKPK"
    assert struct.unpack_from("<I", data, 8) == (1,)
    (at, size, _), (tensors_at, tensors_size, _) = struct.iter_unpack("<QQQ", data[-56:-8])
    return {**json.loads(data[at:at + size]), "tensors": json.loads(data[tensors_at:tensors_at + tensors_size])}


class Packed(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def answer(self, *arguments: str) -> str:
        done = unmask(*arguments)
        self.assertEqual((done.returncode, done.stderr if done.returncode else ""), (0, ""))
        return done.stdout

    def pack(self, model: Path, *options: str) -> Path:
        path = self.folder / "packed"
        self.answer("convert", "-m", str(model), "-o", str(path), *options)
        return path

    def test_answers_as_the_model_it_was_made_of(self):
        for dtype in ("int8", "int4", "bf16"):
            path = self.pack(DEMO, "--dtype", dtype)
            self.assertEqual(directory_of(path)["type"], dtype)
            asked = ("run", "-p", "Where is the cat?", "--json", "-m")
            packed = json.loads(self.answer(*asked, str(path)))
            plain = json.loads(self.answer(*asked, str(DEMO), "--dtype", dtype))
            self.assertEqual(packed["text"], plain["text"])

    def test_needs_nothing_beside_it(self):
        os.chmod(self.pack(DEMO), 0o444)
        shutil.move(self.folder / "packed", self.folder / "alone.unmask")
        alone = str(self.folder / "alone.unmask")
        shown = json.loads(self.answer("inspect", alone, "--verify", "--json"))
        self.assertEqual(shown["container"], "packed")
        self.assertEqual(shown["metadata"]["source"], "demo")
        self.assertEqual(shown["weights"]["dtype_auto"], "int8")
        tokens = ("tokenize", "--ids", "-p", "Where does the cat live?", "--chat", "-m")
        self.assertEqual(self.answer(*tokens, alone), self.answer(*tokens, str(DEMO)))

    def test_gguf_files_keep_their_blocks(self):
        path = self.pack(GGUF)
        self.assertEqual(directory_of(path)["type"], "stored")
        asked = ("run", "--raw", "-p", "a", "--gen-length", "8", "--json", "-m")
        self.assertEqual(json.loads(self.answer(*asked, str(path)))["text"],
                         json.loads(self.answer(*asked, str(GGUF)))["text"])

    def test_another_type_is_packed_on_the_way(self):
        path = self.pack(DEMO)
        self.assertIn("text", json.loads(self.answer("run", "-m", str(path), "--dtype", "bf16", "-p", "Hi", "--json")))

    def test_an_evaluation_goes_on(self):
        asked = ("eval", "-m", str(self.pack(DEMO)), "--task", "qa1", "--length", "256", "--limit", "1", "--json",
                 "-o", str(self.folder / "out"))
        first = json.loads(self.answer(*asked))
        self.assertEqual(json.loads(self.answer(*asked))["settings"], first["settings"])
        self.pack(DEMO, "--dtype", "int4")
        self.assertIn("checkpoint_bytes", self.refused(*asked))

    def refused(self, *arguments: str) -> str:
        done = unmask(*arguments)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        return done.stderr

    def test_damage_and_other_versions_are_one_line(self):
        path = self.pack(DEMO)
        whole = path.read_bytes()
        path.write_bytes(whole[:-100])
        self.assertIn("cut off", self.refused("run", "-m", str(path), "-p", "Hi"))
        path.write_bytes(whole[:8] + b"\x07" + whole[9:])
        self.assertIn("make it anew: unmask convert", self.refused("run", "-m", str(path), "-p", "Hi"))
        entry = directory_of(self.pack(DEMO))["tensors"]["model.transformer.blocks.0.ff_out.weight"]
        path.write_bytes(whole[:entry["offset"]] + b"\xff" + whole[entry["offset"] + 1:])
        self.assertIn("is damaged", self.refused("inspect", str(path), "--verify"))

    def test_says_what_it_cannot(self):
        path = self.pack(DEMO)
        self.assertIn("packed already", self.refused("convert", "-m", str(path), "-o", str(self.folder / "x")))
        self.assertFalse((self.folder / "x").exists())
        self.assertIn("GGUF", self.refused("convert", "-m", str(DEMO), "--dtype", "stored"))
        self.assertIn("no type of the container", self.refused("convert", "-m", str(DEMO), "--dtype", "q8_0"))
        self.assertIn("only packed files", self.refused("inspect", str(DEMO), "--verify"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
