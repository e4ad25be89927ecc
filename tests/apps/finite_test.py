#!/usr/bin/env python3
"""One number of a model's weights becomes NaN, in each container and type: finite_test.py PROGRAM ROOT.

What the program reads at the start is named with its layer; the matrices of a packed file, which it does not
read then, give themselves away by the logits."""

import json
import os
import pathlib
import shutil
import struct
import sys
import tempfile
import unittest

import cli_test as cli
import gguf_test as gguf
import packed_test as packed

NAN16, NAN32 = struct.pack("<e", float("nan")), struct.pack("<f", float("nan"))
NORM, MATRIX = "blocks.2.ff_norm.weight", "blocks.2.ff_out.weight"
DEPTH = 768  # of that matrix
# Where the first scale lies in panels (kernels/cpu/weight_layout.h, block_layout.h), or the first number.
SCALES = {"int8": (DEPTH * 64, NAN32), "int4": (32 * 32 // 2, NAN16), "bf16": (0, b"\xc0\x7f"),
          "stored": (32 * 32, NAN16)}  # Q8_0


class Finite(cli.Case):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def assert_found(self, model: pathlib.Path, damaged: pathlib.Path, at: int, value: bytes, *parts: str):
        """With `value` at byte `at` of a file of the model; afterwards it is as before."""
        with damaged.open("r+b") as file:
            file.seek(at)
            before = file.read(len(value))
            file.seek(at)
            file.write(value)
        self.assert_error(cli.unmask("run", "-m", str(model), "-p", "Hi", "-n", "4"), "no finite numbers", *parts)
        with damaged.open("r+b") as file:
            file.seek(at)
            file.write(before)

    def convert(self, model, *options: str) -> pathlib.Path:
        path = self.folder / "-".join(options)
        self.assertEqual(cli.unmask("convert", "-m", str(model), "-o", str(path), *options).returncode, 0)
        return path

    def test_safetensors(self):
        model = self.folder / "model"
        shutil.copytree(cli.demo(), model)
        file = model / "model.safetensors"
        header = file.read_bytes()
        size, = struct.unpack_from("<Q", header)
        for name, tensor in json.loads(header[8:8 + size]).items():
            if name.endswith((NORM, MATRIX)):
                self.assert_found(model, file, 8 + size + tensor["data_offsets"][0], b"\xc0\x7f", name,
                                  "of layer 2", "the first, number 0, is nan")

    def test_gguf(self):
        for dtype in ("q8_0", "q4_0"):
            path = self.convert(cli.demo(), "--to", "gguf", "--dtype", dtype)
            tensors = gguf.Reader(path).tensors
            for name, part, value in (("blk.2.ffn_norm.weight", NORM, NAN32), ("blk.2.ffn_down.weight", MATRIX, NAN16)):
                self.assert_found(path, path, tensors[name][2], value, part, "of layer 2",
                                  "the first, number 0, is nan")

    def test_packed(self):
        from_gguf = self.convert(cli.demo(), "--to", "gguf")
        for dtype in SCALES:
            path = self.convert(from_gguf if dtype == "stored" else cli.demo(), "--dtype", dtype)
            tensors = packed.directory_of(path)["tensors"]
            norm, matrix = (next(name for name in tensors if name.endswith(part) and "2" in name)
                            for part in (("ff_norm.weight", "ffn_norm.weight"), ("ff_out.weight", "ffn_down.weight")))
            value = NAN32 if tensors[norm]["dtype"] == "F32" else b"\xc0\x7f"
            self.assert_found(path, path, tensors[norm]["offset"], value, norm, "of layer 2", "is nan")
            at, value = SCALES[dtype]
            self.assert_found(path, path, tensors[matrix]["offset"] + at, value, "step 0", "position ",
                              "first in layer 2", "inspect --verify")


if __name__ == "__main__":
    cli.PROGRAM, cli.ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    unittest.main(argv=sys.argv[:1])
