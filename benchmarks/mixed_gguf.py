#!/usr/bin/env python3
"""A GGUF file with the metadata and shapes of another, whose matrices are random blocks of Q4_K and Q6_K, mixed as in
files called Q4_K_M: mixed_gguf.py FROM.gguf TO.gguf. The program writes no such blocks; this one is to see how long it
takes to read them. Rows have to be multiples of 256 wide."""

import argparse
import os
import pathlib
import re
import struct

import numpy as np

F32, Q4_K, Q6_K = 0, 12, 14
BYTES_OF_BLOCK = {Q4_K: 144, Q6_K: 210}  # of 256 weights
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY = 8, 9
ALIGNMENT = 32


class Reader:
    def __init__(self, data: np.ndarray):
        self.data, self.at = data, 0

    def take(self, form: str):
        value, = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def text(self) -> bytes:
        length = self.take("Q")
        self.at += length
        return self.data[self.at - length:self.at].tobytes()

    def skip(self, kind: int):
        if kind == STRING:
            self.text()
        elif kind == ARRAY:
            kind, count = self.take("I"), self.take("Q")
            if kind in SIZES:
                self.at += SIZES[kind] * count
            else:
                for _ in range(count):
                    self.skip(kind)
        else:
            self.at += SIZES[kind]


def mixed_type(name: str, layers: int) -> int:
    """More bits for the head, and for values and the way out of the feed-forward in half of the layers."""
    if name == "output.weight":
        return Q6_K
    found = re.fullmatch(r"blk\.(\d+)\.(attn_v|ffn_down)\.weight", name)
    if found is None:
        return Q4_K
    layer, eighth = int(found[1]), layers // 8
    return Q6_K if layer < eighth or layer >= layers - eighth or (layer - eighth) % 3 == 2 else Q4_K


def random_blocks(random: np.random.Generator, kind: int, count: int) -> np.ndarray:
    blocks = random.integers(0, 256, (count, BYTES_OF_BLOCK[kind]), np.uint8)
    halves = np.full((count, 2), 1e-4, np.float16).view(np.uint8)  # scales of a super-block
    if kind == Q4_K:
        blocks[:, :4] = halves
    else:
        blocks[:, -2:] = halves[:, :2]
    return blocks.reshape(-1)


def padded(size: int) -> int:
    return (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", type=pathlib.Path)
    arguments.add_argument("target", type=pathlib.Path)
    a = arguments.parse_args()
    data = np.memmap(a.source, np.uint8, "r")
    if data[:8].tobytes() != b"GGUF\3\0\0\0":
        raise SystemExit(f"{a.source}: found something else, expected GGUF of version 3")
    reader = Reader(data)
    reader.at = 8  # magic and version
    n_tensors, n_keys = reader.take("Q"), reader.take("Q")
    for _ in range(n_keys):
        reader.text()
        reader.skip(reader.take("I"))
    end_of_keys = reader.at
    tensors = []
    for _ in range(n_tensors):
        name = reader.text()
        shape = [reader.take("Q") for _ in range(reader.take("I"))]
        tensors.append((name, shape, reader.take("I"), reader.take("Q")))
    begin = padded(reader.at)
    layers = 1 + max(int(found[1]) for name, *_ in tensors if (found := re.match(rb"blk\.(\d+)\.", name)))
    random = np.random.default_rng(1)
    head, sizes = bytearray(data[:end_of_keys].tobytes()), []
    kinds = [mixed_type(name.decode(), layers) if len(shape) == 2 else kind for name, shape, kind, _ in tensors]
    for (name, shape, old, _), kind in zip(tensors, kinds):
        if shape[0] % 256 != 0 and kind in BYTES_OF_BLOCK:
            raise SystemExit(f"{name.decode()}: found rows of {shape[0]}, expected a multiple of 256")
        if kind not in BYTES_OF_BLOCK and old != F32:
            raise SystemExit(f"{name.decode()}: found type {old}, expected float32")
        elements = int(np.prod(shape))
        size = elements // 256 * BYTES_OF_BLOCK[kind] if kind in BYTES_OF_BLOCK else 4 * elements
        head += struct.pack("<Q", len(name)) + name + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}QIQ", *shape, kind, sum(map(padded, sizes)))
        sizes.append(size)
    unfinished = a.target.with_name(a.target.name + ".part")
    with open(unfinished, "wb") as out:
        out.write(head.ljust(padded(len(head)), b"\0"))
        for (_, _, _, offset), kind, size in zip(tensors, kinds, sizes):
            if kind in BYTES_OF_BLOCK:
                blob = random_blocks(random, kind, size // BYTES_OF_BLOCK[kind])
            else:
                blob = data[begin + offset:begin + offset + size]
            out.write(blob.tobytes().ljust(padded(size), b"\0"))
    os.replace(unfinished, a.target)


if __name__ == "__main__":
    main()
