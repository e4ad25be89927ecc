#!/usr/bin/env python3
"""Checks the machine code of the kernels in the CUDA plug-in, where no device can run them:
nothing spills to local memory, every loop is unrolled into the products it should hold, and ptxas
waits for asynchronous products no more often than the kernel says (it does, and costs half of the
speed, where it cannot follow their registers).

    tools/check_device_code.py build/release/libunmask_cuda.so

Exits with 77 where there is no plug-in. The numbers of instructions are in the low 12 bits of
each 16 bytes of code; they were read off kernels whose instructions are known.
"""

import collections
import pathlib
import re
import struct
import sys

MACHINE_CUDA = 190
OPCODES = {
    0x983: "local load",
    0x387: "local store",
    0x23c: "warp product",
    0x9f0: "warpgroup product from memory",
    0xdf0: "warpgroup product from registers",
    0x9c5: "warpgroup fence or wait",
}

# For each kernel the counts that its template argument leads to: the size of a head, or the rows of a
# tile of a grouped product.
RULES = {
    "flash_sm90_kernel": lambda d: {"warpgroup product from memory": 2 * d // 16,
                                    "warpgroup product from registers": 16,
                                    "warpgroup fence or wait": 8},
    "lse_sm90_kernel": lambda d: {"warpgroup product from memory": 4 * d // 16,
                                  "warpgroup fence or wait": 9},
    "block_sums_sm90_kernel": lambda d: {"warpgroup product from memory": 4 * d // 16,
                                         "warpgroup fence or wait": 9},
    "flash_mma_kernel": lambda d: {"warp product": d},
    "lse_mma_kernel": lambda d: {"warp product": d // 2},
    "block_sums_mma_kernel": lambda d: {"warp product": d // 2},
    "grouped_kernel": lambda rows: {"warp product": 16 if rows == 16 else 32},
    "group_kernel": lambda d: {},
    "route_kernel": lambda d: {},
    "combine_kernel": lambda d: {},
    "select_kernel": lambda d: {},
}
KERNEL = re.compile(r"\d(" + "|".join(RULES) + r")(?:ILi(\d+)E)?")


def device_images(data: bytes):
    """Offsets of the ELF files for devices inside a library."""
    at = data.find(b"\x7fELF\x02")
    while at >= 0:
        if struct.unpack_from("<H", data, at + 18)[0] == MACHINE_CUDA:
            yield at
        at = data.find(b"\x7fELF\x02", at + 4)


def code_sections(data: bytes, image: int):
    """Names and bytes of the sections with code of one image."""
    table, = struct.unpack_from("<Q", data, image + 0x28)
    count, names = struct.unpack_from("<HH", data, image + 0x3c)
    sections = [struct.unpack_from("<IIQQQQ", data, image + table + 64 * i) for i in range(count)]
    for name, _, _, _, offset, size in sections:
        start = image + sections[names][4] + name
        text = data[start:data.index(b"\0", start)].decode()
        if text.startswith(".text."):
            yield text, data[image + offset:image + offset + size]


def count_opcodes(code: bytes) -> dict[str, int]:
    words = (struct.unpack_from("<Q", code, i)[0] & 0xfff for i in range(0, len(code) - 15, 16))
    return dict(collections.Counter(OPCODES[word] for word in words if word in OPCODES))


def check(data: bytes) -> tuple[list[str], set[str]]:
    """Objections, and the kernels that were found."""
    objections = []
    found = set()
    for image in device_images(data):
        architecture = data[image + 0x31]
        for section, code in code_sections(data, image):
            match = KERNEL.search(section)
            if match is None:
                continue
            name, size = match[1], int(match[2] or 0)
            found.add(name)
            expected = RULES[name](size)
            counts = count_opcodes(code)
            if counts != expected:
                objections.append(f"{name}<{size}> for sm_{architecture}: found {counts}, "
                                  f"expected {expected}")
    return objections, found


def main(arguments: list[str]) -> int:
    library = pathlib.Path(arguments[0])
    if not library.is_file():
        print(f"device code: no {library}, nothing checked; it is built where nvcc is found")
        return 77
    objections, found = check(library.read_bytes())
    objections += [f"{name}: not found" for name in RULES if name not in found]
    print("\n".join(objections) or f"device code: nothing to complain about in {len(found)} kernels")
    return 1 if objections else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
