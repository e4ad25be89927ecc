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
