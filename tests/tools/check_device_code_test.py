"""tools/check_device_code.py counts instructions and objects to planted ones."""

import pathlib
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_device_code  # noqa: E402  (found through the path above)

SPILL, PRODUCT, WARPGROUP, FROM_REGISTERS, OTHER = 0x387, 0x23c, 0x9c5, 0xdf0, 0x981


def image(sections: dict[str, list[int]]) -> bytes:
    """An ELF file for devices with these instructions in these sections."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in sections)
    body = names
    table = [(0, 3, 0, 0, 64, len(names))]
    for name, opcodes in sections.items():
        code = b"".join(struct.pack("<QQ", 0xabc000 | opcode, 0) for opcode in opcodes)
        table.append((names.index(name.encode()), 1, 0, 0, 64 + len(body), len(code)))
        body += code
    header = bytearray(64)
    header[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<H", header, 18, check_device_code.MACHINE_CUDA)
    struct.pack_into("<Q", header, 0x28, 64 + len(body))
    header[0x31] = 90
    struct.pack_into("<HH", header, 0x3c, len(table), 0)
    entries = b"".join(struct.pack("<IIQQQQ", *entry) + bytes(24) for entry in table)
    return bytes(header) + body + entries


def kernel(name: str, size: int) -> str:
    return f".text._ZN6unmask4cuda{len(name)}{name}ILi{size}EEEvNS0_1PE"


class DeviceCode(unittest.TestCase):
    def test_accepts_what_is_expected(self):
        products = [0x9f0] * 8 + [FROM_REGISTERS] * 16
        objections, found = check_device_code.check(b"prefix" + image({
            kernel("flash_mma_kernel", 32): [PRODUCT] * 32 + [OTHER],
            kernel("flash_sm90_kernel", 64): products + [WARPGROUP] * 8}))
        self.assertEqual(objections, [])
        self.assertEqual(found, {"flash_mma_kernel", "flash_sm90_kernel"})

    def test_objects_to_spills_and_missing_products(self):
        for opcodes in ([PRODUCT] * 32 + [SPILL], [PRODUCT] * 31):
            objections, _ = check_device_code.check(
                image({kernel("flash_mma_kernel", 32): opcodes}))
            self.assertEqual(len(objections), 1, opcodes)
            self.assertIn("flash_mma_kernel<32> for sm_90", objections[0])

    def test_leaves_other_kernels_alone(self):
        objections, found = check_device_code.check(image({kernel("other_kernel", 32): [SPILL]}))
        self.assertEqual((objections, found), ([], set()))


if __name__ == "__main__":
    unittest.main()
