#!/usr/bin/env python3
"""How the release is built against attacks: hardening_test.py FILE...

Looks at a program and its plug-in with readelf; files that are not there are left out."""

import os
import subprocess
import sys
import unittest

FILES: list[str] = []


def readelf(option: str, file: str) -> str:
    return subprocess.run(["readelf", "--wide", option, file], capture_output=True, text=True,
                          check=True).stdout


class Hardening(unittest.TestCase):
    def test_addresses_are_random(self):
        for file in FILES:
            self.assertRegex(readelf("--file-header", file), r"Type: +DYN ")

    def test_tables_of_addresses_are_read_only(self):
        for file in FILES:
            self.assertIn("GNU_RELRO", readelf("--segments", file))
            self.assertRegex(readelf("--dynamic", file), r"BIND_NOW|\bNOW\b")

    def test_neither_the_stack_nor_data_is_code(self):
        for file in FILES:
            segments = readelf("--segments", file)
            self.assertRegex(segments, r"GNU_STACK .* RW +0x")
            self.assertNotRegex(segments, r"LOAD .* RWE ")

    def test_overflows_of_buffers_are_noticed(self):
        for file in FILES:
            symbols = readelf("--dyn-syms", file)
            self.assertIn("__stack_chk_fail", symbols)
            if not file.endswith(".so"):  # the plug-in calls no function that has a checked form
                self.assertRegex(symbols, r"__(read|memcpy|memmove|memset|snprintf|realpath|fdelt)_chk")

    def test_libraries_come_from_where_the_system_has_them(self):
        for file in FILES:
            dynamic = readelf("--dynamic", file)
            paths = [line.split("[")[1].rstrip("]") for line in dynamic.splitlines()
                     if "(RPATH)" in line or "(RUNPATH)" in line]
            for path in ":".join(paths).split(":") if paths else []:
                self.assertTrue(path.startswith("/usr/"), path)  # the plug-in's toolkit


if __name__ == "__main__":
    FILES = [file for file in sys.argv[1:] if os.path.exists(file)]
    unittest.main(argv=sys.argv[:1])
