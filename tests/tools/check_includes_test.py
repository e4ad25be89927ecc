"""tools/check_includes.py finds planted violations and accepts what is allowed."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_includes  # noqa: E402  (found through the path above)

EXISTING = ["core/error.h", "io/text/tokenizer.h", "kernels/backend.h", "kernels/backend_wrapper.h", "kernels/create_backend.h",
            "kernels/cpu/table.h", "kernels/cpu/attention.h", "kernels/cpu/variants.h", "kernels/cpu/portable/rows.inc",
            "kernels/cpu/x86/bf16.inc", "kernels/cuda/types.h", "kernels/cuda/device.h",
            "kernels/cuda/attention.h", "kernels/cuda/backend.h", "model/method.h", "model/transformer.h", "methods/full.h",
            "sampling/sampler.h", "generate/engine.h", "apps/commands/run.h",
            "apps/terminal/units.h"]

ALLOWED = [
    ("src/core/dtype.cc", "core/error.h"),
    ("src/kernels/cpu/backend.cc", "kernels/cpu/table.h"),
    ("src/kernels/cpu/x86/avx2.cc", "kernels/cpu/table.h"),
    ("src/kernels/cpu/x86/avx2.cc", "kernels/cpu/portable/rows.inc"),
    ("src/kernels/cpu/x86/variants.cc", "kernels/cpu/variants.h"),
    ("src/kernels/cuda/device.h", "kernels/cuda/types.h"),
    ("src/kernels/cuda/flash_mma.cu", "kernels/cuda/attention.h"),
    ("src/kernels/cuda/plugin.cc", "kernels/cuda/backend.h"),
    ("src/kernels/cuda/backend.cc", "kernels/backend.h"),
    ("src/model/weights.cc", "io/text/tokenizer.h"),
    ("src/model/weights.cc", "kernels/create_backend.h"),
    ("src/methods/window.h", "model/method.h"),
    ("src/methods/window.h", "kernels/backend.h"),
    ("src/methods/window.h", "methods/full.h"),
    ("src/generate/engine.cc", "sampling/sampler.h"),
    ("src/apps/main.cc", "generate/engine.h"),
    ("src/apps/main.cc", "apps/commands/run.h"),
    ("src/apps/commands/run.cc", "apps/terminal/units.h"),
    ("tests/support/far_backend.h", "kernels/backend_wrapper.h"),
    ("tests/kernels/table_test.cc", "kernels/cpu/table.h"),
    ("tools/gpu_check/kernels.cc", "kernels/cpu/table.h"),
    ("tests/io/text/tokenizer_test.cc", "io/text/tokenizer.h"),
]

FORBIDDEN = [
    ("src/core/dtype.cc", "io/text/tokenizer.h", "core may not include io"),
    ("src/io/text/tokenizer.cc", "kernels/backend.h", "io may not include kernels"),
    ("src/kernels/cpu/backend.cc", "io/text/tokenizer.h", "kernels may not include io"),
    ("src/kernels/cpu/attention.cc", "kernels/cpu/x86/bf16.inc", "may not include instruction sets"),
    ("src/kernels/cpu/table.h", "kernels/cpu/attention.h", "ground of kernels/cpu may not"),
    ("src/kernels/cpu/portable/plain.cc", "kernels/cpu/x86/bf16.inc", "an instruction set see only"),
    ("src/kernels/cpu/x86/avx2.cc", "kernels/cpu/attention.h", "an instruction set see only"),
    ("src/kernels/cuda/types.h", "kernels/cuda/device.h", "ground of kernels/cuda may not"),
    ("src/kernels/cuda/attention.cc", "kernels/cuda/device.h", "kernels of kernels/cuda may not"),
    ("src/kernels/cuda/gossip.cc", "kernels/cuda/device.h", "not a file"),
    ("src/model/transformer.cc", "methods/full.h", "model may not include methods"),
    ("src/model/transformer.cc", "kernels/cpu/table.h", "from outside"),
    ("src/methods/window.h", "model/transformer.h", "methods see only"),
    ("src/methods/window.h", "kernels/backend_wrapper.h", "methods see only"),
    ("src/methods/window.h", "io/text/tokenizer.h", "methods see only"),
    ("src/methods/window.h", "sampling/sampler.h", "methods see only"),
    ("src/sampling/sampler.cc", "methods/full.h", "sampling may not include methods"),
    ("src/generate/engine.cc", "apps/commands/run.h", "generate may not include apps"),
    ("src/apps/terminal/units.cc", "apps/commands/run.h", "apps/terminal may not include apps"),
    ("src/apps/gossip/talk.cc", "apps/terminal/units.h", "not a folder"),
    ("src/gossip/talk.cc", "core/error.h", "not a layer"),
    ("tests/io/text/tokenizer_test.cc", "kernels/cpu/table.h", "from outside"),
    ("tools/bench.cc", "kernels/cpu/table.h", "from outside"),
    ("src/io/text/tokenizer.cc", "../core/error.h", "relative include"),
    ("src/io/text/tokenizer.cc", "io/nowhere.h", "no such file"),
]


def violations(source: str, line: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name in [f"src/{name}" for name in EXISTING] + [source]:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        (root / source).write_text(f"#pragma once\n{line}\n", encoding="utf-8")
        return check_includes.check(root)


class CheckIncludes(unittest.TestCase):
    def test_allowed_directions_pass(self):
        for source, target in ALLOWED:
            with self.subTest(source=source, target=target):
                self.assertEqual(violations(source, f'#include "{target}"'), [])

    def test_each_planted_violation_is_found_once_with_its_place_and_reason(self):
        for source, target, reason in FORBIDDEN:
            with self.subTest(source=source, target=target):
                found = violations(source, f'#include "{target}"')
                self.assertEqual(len(found), 1, found)
                self.assertTrue(found[0].startswith(f"{source}:2: {target}: "), found)
                self.assertIn(reason, found[0])

    def test_only_tests_of_tools_see_the_headers_of_tools(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in ("tools/writer.h", "tests/tools/a_test.cc", "tests/io/b_test.cc"):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text('#include "writer.h"\n' if name.endswith(".cc") else "",
                                         encoding="utf-8")
            found = check_includes.check(root)
            self.assertEqual(len(found), 1, found)
            self.assertTrue(found[0].startswith("tests/io/b_test.cc:1"), found)

    def test_public_headers_see_each_other_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            includes = {"include/unmask/model.h": ["<unmask/error.h>", "<vector>", '"unmask/error.h"'],
                        "src/api/model.cc": ['"unmask/model.h"', '"core/error.h"'],
                        "src/core/error.h": [], "include/unmask/error.h": [],
                        "include/unmask/leak.h": ['"core/error.h"'],  # 1
                        "src/core/leak.cc": ['"unmask/model.h"']}  # 2
            for name, lines in includes.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text("".join(f"#include {line}\n" for line in lines),
                                         encoding="utf-8")
            found = check_includes.check(root)
            self.assertEqual(len(found), 2, found)
            self.assertTrue(found[0].startswith("include/unmask/leak.h:1"), found)
            self.assertTrue(found[1].startswith("src/core/leak.cc:1"), found)

    def test_angle_brackets_hide_nothing(self):
        self.assertEqual(len(violations("src/core/dtype.cc", "#include <io/text/tokenizer.h>")), 1)
        self.assertEqual(violations("src/core/dtype.cc", "#include <vector>"), [])

    def test_files_of_an_instruction_set_include_no_library(self):
        for source in ("src/kernels/cpu/x86/avx2.cc", "src/kernels/cpu/arm64/neon.cc",
                       "src/kernels/cpu/portable/rows.inc"):
            self.assertEqual(len(violations(source, "#include <vector>")), 1)
            self.assertEqual(violations(source, "#include <immintrin.h>"), [])


if __name__ == "__main__":
    unittest.main()
