#!/usr/bin/env python3
"""What -DUNMASK_KERNELS=native builds: the best kernels of this machine and the plain ones."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest


class NativeKernels(unittest.TestCase):
    def configure(self, kernels: str) -> subprocess.CompletedProcess:
        return subprocess.run(["cmake", "-S", ROOT, "-B", self.folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                               "-DUNMASK_TESTS=OFF", "-DUNMASK_BENCHMARKS=OFF", "-DUNMASK_LIBRARY=OFF",
                               "-DUNMASK_CUDA=OFF", f"-DUNMASK_KERNELS={kernels}"],
                              capture_output=True, text=True, check=False)

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def test_builds_one_set_beside_the_plain_one(self):
        result = self.configure("native")
        self.assertEqual(result.returncode, 0, result.stderr)
        commands = json.loads((self.folder / "compile_commands.json").read_text("utf-8"))
        sources = [pathlib.Path(command["file"]) for command in commands]
        tables = [source.stem for source in sources if re.search(r"kernels/cpu/\w+/\w+\.cc$", str(source))
                  and "_int4" not in source.stem]
        built = re.findall(r'\{"(\w+)", (\w+)_table\}',
                           (self.folder / "src/kernels/built_tables.cc").read_text("utf-8"))
        self.assertEqual(sorted(name for name, _ in built), sorted(tables))
        self.assertTrue(all(name == table for name, table in built))
        plan = subprocess.run([PROGRAM, "run", "-m", ROOT / "models/demo", "-p", "Hi", "--explain"],
                              env={}, capture_output=True, text=True, check=True).stdout
        self.assertEqual(set(tables), {"plain", re.search(r"backend +cpu (\w+)", plan)[1]})

    def test_refuses_other_words(self):
        result = self.configure("avx2")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("expected all or native", " ".join(result.stderr.split()))


if __name__ == "__main__":
    PROGRAM, ROOT = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))
    unittest.main()
