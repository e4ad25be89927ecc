"""Figures of a run become the tables of a document, and nothing else of it changes."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "tools" / "write_targets.py"
FIGURES = [
    {"what": "a step", "figure": 0.91, "least": 0.9, "most": 0.92, "at_least": 0.8, "met": True, "missed": False},
    {"what": "a ratio", "figure": 1.3, "least": 1.2, "most": 1.4, "at_most": 1.25, "met": False, "missed": False},
    {"what": "int8 product 64x32, 1 row, 2 threads", "figure": 0.5, "least": 0.5, "most": 0.5, "at_least": 0.85,
     "met": False, "missed": True},
    {"what": "int8 product 64x32, 32 rows, 2 threads", "figure": 0.9, "least": 0.9, "most": 0.9, "at_least": 0.7,
     "met": True, "missed": False}]
BEFORE = """Before

| what | figure | old |
|---|---|---|
| gone | 1 | 2 |

Between

| weights | old |
|---|---|

After
"""
AFTER = """Before

| what | figure (least-most) | wanted | met |
|---|---|---|---|
| a step | 0.91 (0.90-0.92) | at least 0.80 | yes |
| a ratio | 1.30 (1.20-1.40) | at most 1.25 | nearly |

Between

| weights | depth x outputs | threads | 1 row | 32 rows |
|---|---|---|---|---|
| int8 | 64x32 | 2 | **0.50 [0.85]** | 0.90 [0.70] |

After
"""


class WriteTargets(unittest.TestCase):
    def write(self, before: str) -> tuple[subprocess.CompletedProcess, str]:
        with tempfile.TemporaryDirectory() as folder:
            figures, document = pathlib.Path(folder, "figures.json"), pathlib.Path(folder, "document.md")
            figures.write_text(json.dumps(FIGURES))
            document.write_text(before)
            ended = subprocess.run([sys.executable, PROGRAM, figures, document], capture_output=True, text=True)
            return ended, document.read_text()

    def test_both_tables_are_replaced(self):
        ended, text = self.write(BEFORE)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertEqual(text, AFTER)
        self.assertEqual(self.write(AFTER)[1], AFTER)

    def test_a_document_without_a_table_stays_as_it_is(self):
        ended, text = self.write("| weights |\n")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("no table that begins with '| what |'", ended.stderr)
        self.assertEqual(text, "| weights |\n")


if __name__ == "__main__":
    unittest.main()
