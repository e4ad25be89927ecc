"""GGUF files in the place of a model: every command that takes one, by file, folder and name."""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

PROGRAM, ROOT = sys.argv[1], Path(sys.argv[2])
MODEL = ROOT / "tests" / "golden" / "gguf-llada-tiny" / "model.gguf"


def unmask(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, *arguments], input=stdin, text=True, capture_output=True, timeout=120,
                          env={**os.environ, **environment})


class Reader:
    """GGUF and safetensors, read by what their descriptions say and nothing of the program's."""

    def __init__(self, path: Path):
        self.bytes, self.at = path.read_bytes(), 4
        assert self.bytes[:4] == b"GGUF" and self.take("I") == 3
        n_tensors, n_keys = self.take("Q"), self.take("Q")
        self.keys = {self.text(): self.value(self.take("I")) for _ in range(n_keys)}
        records = [(self.text(), [self.take("Q") for _ in range(self.take("I"))], self.take("I"), self.take("Q"))
                   for _ in range(n_tensors)]
        data = (self.at + 31) // 32 * 32
        self.tensors = {name: (sizes, kind, data + offset) for name, sizes, kind, offset in records}

    def take(self, code: str):
        value, = struct.unpack_from("<" + code, self.bytes, self.at)
        self.at += struct.calcsize("<" + code)
        return value

    def text(self) -> str:
        length = self.take("Q")
        self.at += length
        return self.bytes[self.at - length:self.at].decode()

    def value(self, kind: int):
        if kind == 8:
            return self.text()
        if kind == 9:
            element, count = self.take("I"), self.take("Q")
            return [self.value(element) for _ in range(count)]
        return self.take("BbHhIif?"[kind])

    def row(self, name: str, row: int) -> list[float]:
        (length, *_), kind, start = self.tensors[name]
        size = {0: 4 * length, 2: length // 32 * 18, 8: length // 32 * 34}[kind]
        raw = self.bytes[start + row * size:start + (row + 1) * size]
        if kind == 0:
            return list(struct.unpack(f"<{length}f", raw))
        values = []
        for block in range(0, size, 18 if kind == 2 else 34):
            scale, = struct.unpack_from("<e", raw, block)
            if kind == 8:
                values += [scale * q for q in struct.unpack_from("<32b", raw, block + 2)]
            else:
                nibbles = raw[block + 2:block + 18]
                values += [scale * ((b & 15) - 8) for b in nibbles] + [scale * ((b >> 4) - 8) for b in nibbles]
        return values


def safetensors_row(path: Path, name: str, row: int) -> list[float]:
    """Of a bfloat16 matrix."""
    raw = path.read_bytes()
    length, = struct.unpack_from("<Q", raw)
    entry = json.loads(raw[8:8 + length])[name]
    columns = entry["shape"][-1]
    start = 8 + length + entry["data_offsets"][0] + row * columns * 2
    return [struct.unpack("<f", b"\0\0" + raw[start + 2 * i:start + 2 * i + 2])[0] for i in range(columns)]


class Gguf(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def answer(self, *arguments: str, **more: str) -> str:
        result = unmask(*arguments, **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_a_file_a_folder_and_a_name_are_the_same_model(self):
        run = ("run", "--raw", "-p", "Once upon", "-n", "16", "--preset", "exact")
        expected = self.answer(*run, "-m", str(MODEL))
        self.assertGreater(len(expected), 8)
        snapshot = self.folder / "hub" / "models--o--n-GGUF" / "snapshots" / "x"
        snapshot.mkdir(parents=True)
        shutil.copy(MODEL, snapshot / "m-Q4_K_M.gguf")
        cache = {"HF_HUB_CACHE": str(self.folder / "hub")}
        for name in (str(snapshot), "o/n-GGUF", "o/n-GGUF/m-Q4_K_M.gguf"):
            self.assertEqual(self.answer(*run, "-m", name, **cache), expected, name)
        shutil.copy(MODEL, snapshot / "m-Q8_0.gguf")
        several = unmask(*run, "-m", "o/n-GGUF", **cache)
        self.assertIn("o/n-GGUF/m-Q4_K_M.gguf, o/n-GGUF/m-Q8_0.gguf", several.stderr)

    def test_every_type_of_weights_answers(self):
        for dtype in ("auto", "f32", "bf16", "int8", "int4"):
            report = json.loads(self.answer("run", "-m", str(MODEL), "--raw", "-p", "Once", "-n", "8",
                                            "--dtype", dtype, "--json"))
            self.assertEqual(report["dtype"], "stored" if dtype == "auto" else dtype)

    def test_holes_chats_scores_and_plans(self):
        model = ("-m", str(MODEL))
        filled = self.answer("run", *model, "--fill", "The ___{2} of it.")
        self.assertTrue(filled.startswith("The "), filled)
        self.assertTrue(filled.endswith(" of it.\n"), filled)
        self.assertEqual(len(self.answer("chat", *model, "-n", "8", stdin="Hello\n/exit\n")
                             .splitlines()[:1]), 1)
        self.answer("score", *model, "--raw", "-p", "Once", "--answer", " upon", "--mc-samples", "4")
        self.assertIn("stored", self.answer("run", *model, "--raw", "-p", "Hi", "--explain"))
        tokens = json.loads(self.answer("tokenize", *model, "--json", "-p", "hello"))
        self.assertEqual([t["id"] for t in tokens["tokens"]], [496, 298, 266, 78])
        lines = self.answer("batch", *model, "-n", "8", "--raw", "--file", "-", stdin='{"prompt": "Hi"}\n')
        self.assertIn("text", json.loads(lines))

    def without_mask(self) -> Path:
        """The model with a key of another name in the place of mask_token_id."""
        path = self.folder / "m.gguf"
        path.write_bytes(MODEL.read_bytes().replace(b"mask_token_id", b"mask_token_iX"))
        return path

    def test_what_a_file_lacks_an_option_supplies(self):
        run = ("run", "--raw", "-p", "Once upon", "-n", "16", "-m")
        lacking = unmask(*run, str(self.without_mask()))
        self.assertEqual(lacking.returncode, 1)
        self.assertIn("mask_token_id' is missing", lacking.stderr)
        self.assertIn("--mask-id", lacking.stderr)
        self.assertEqual(self.answer(*run, str(self.without_mask()), "--mask-id", "502"),
                         self.answer(*run, str(MODEL)))

    def test_a_cut_file_says_so(self):
        path = self.folder / "cut.gguf"
        path.write_bytes(MODEL.read_bytes()[:-4096])
        result = unmask("run", "-m", str(path), "-p", "x")
        self.assertEqual(result.returncode, 1)
        self.assertIn("bytes at offset", result.stderr)

    def test_what_is_written_others_can_read(self):
        demo = ROOT / "models" / "demo"
        names = {"token_embd": ("model.transformer.wte", 7), "output": ("model.transformer.ff_out", 2047),
                 "blk.2.attn_v": ("model.transformer.blocks.2.v_proj", 100),
                 "blk.4.ffn_down": ("model.transformer.blocks.4.ff_out", 255)}
        for dtype, share in (("q8_0", 1 / 254), ("q4_0", 1 / 8)):
            path = self.folder / f"{dtype}.gguf"
            self.answer("convert", "-m", str(demo), "--to", "gguf", "--dtype", dtype, "-o", str(path))
            file = Reader(path)
            self.assertEqual(file.keys["general.architecture"], "llada")
            self.assertEqual(file.keys["llada.embedding_length"], 256)
            self.assertIs(file.keys["diffusion.shift_logits"], False)
            self.assertEqual(file.keys["tokenizer.ggml.tokens"][2042], "<|mdm_mask|>")
            self.assertEqual(file.keys["tokenizer.ggml.mask_token_id"], 2042)
            self.assertEqual(len(file.tensors), 3 + 5 * 9)
            self.assertEqual(file.tensors["blk.0.attn_norm.weight"][1], 0)

            def compare(ours: str, row: int, theirs: str, their_row: int):
                expected = safetensors_row(demo / "model.safetensors", theirs + ".weight", their_row)
                found = file.row(ours + ".weight", row)
                for i in range(0, 256, 32):
                    # A bound of the format, and what rounding the scale to float16 adds.
                    bound = max(map(abs, expected[i:i + 32])) * share * 1.01
                    if ours in ("token_embd", "output"):
                        bound = max(map(abs, expected[i:i + 32])) / 254 * 1.2
                    for a, b in zip(found[i:i + 32], expected[i:i + 32], strict=True):
                        self.assertLessEqual(abs(a - b), bound * 1.2, (ours, row))

            for ours, (theirs, row) in names.items():
                compare(ours, row, theirs, row)
            # Queries and keys: the halves of a head of 64 take turns.
            for stored, row in ((0, 0), (1, 32), (2, 1), (64 + 5, 64 + 34), (255, 255)):
                compare("blk.1.attn_q", stored, "model.transformer.blocks.1.q_proj", row)
                compare("blk.1.attn_k", stored, "model.transformer.blocks.1.k_proj", row)
            tokens = ("tokenize", "--ids", "-p", "Where does the cat live?", "--chat", "-m")
            self.assertEqual(self.answer(*tokens, str(path)), self.answer(*tokens, str(demo)))

    def test_converting_says_what_it_cannot(self):
        several = unmask("convert", "-m", str(MODEL), "-o", str(self.folder / "none" / "x.gguf"))
        self.assertEqual(several.returncode, 1)
        target = self.folder / "m.gguf"
        shutil.copy(MODEL, target)
        itself = unmask("convert", "-m", str(target), "-o", str(target))
        self.assertIn("is the model itself", itself.stderr)
        self.assertEqual(target.read_bytes(), MODEL.read_bytes())

    def models_of(self, address: str) -> dict:
        for _ in range(600):
            try:
                with urllib.request.urlopen(address + "/v1/models", timeout=30) as reply:
                    return json.load(reply)
            except urllib.error.HTTPError as error:
                self.assertEqual(error.code, 503)  # still loading
                time.sleep(0.05)
        raise AssertionError("the model was not loaded within half a minute")

    def test_the_server_has_it_by_name(self):
        process = subprocess.Popen([PROGRAM, "serve", "-m", str(MODEL), "--port", "0", "--no-auth"],
                                   stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            address = ""
            for line in process.stderr:
                if "http://" in line:
                    address = line[line.index("http://"):].split()[0].rstrip("/.,;")
                    break
            self.assertEqual(self.models_of(address)["data"][0]["id"], "model")
            request = urllib.request.Request(
                address + "/v1/completions", headers={"Content-Type": "application/json"},
                data=json.dumps({"prompt": "Once", "max_tokens": 8}).encode())
            with urllib.request.urlopen(request, timeout=60) as reply:
                self.assertIn("text", json.load(reply)["choices"][0])
        finally:
            process.terminate()
            process.communicate(timeout=30)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
