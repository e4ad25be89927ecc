"""tools/package/manual.py turns what --help says into pages that roff takes as they are."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "package"))
import manual  # noqa: E402  (found through the path above)

HELP = """Cut a text
Usage: unmask cut [OPTIONS]

Options:
  -h, --help              Show this help


Model:
  -m, --model DIR|FILE    Model directory, as it is
                          published (required)
  --shift-logits, --no-shift-logits
                          Whether a row predicts
                          the next position

Prints a line a token.
.5 of them, 'C:\\x'.

Examples:
  unmask cut -m DIR -p 'Why?'
"""


class Manual(unittest.TestCase):
    def test_entries_have_names_and_descriptions(self):
        lines = HELP.split("\n")[8:13]
        self.assertEqual(manual.entries(lines), [
            ("-m, --model DIR|FILE", "Model directory, as it is published (required)"),
            ("--shift-logits, --no-shift-logits", "Whether a row predicts the next position")])
        with self.assertRaisesRegex(ValueError, "expected an option"):
            manual.entries(["not indented"])

    def test_a_page_has_everything_the_help_has(self):
        page = manual.page("unmask cut", "unmask 1.2.3", HELP, ["unmask"])
        self.assertTrue(page.startswith('.TH UNMASK-CUT 1 "" "unmask 1.2.3"'))
        for line in (".SH NAME\nunmask\\-cut \\- cut a text\n", ".B unmask cut\n[OPTIONS]\n",
                     ".B \\-m, \\-\\-model DIR|FILE\nModel directory, as it is published (required)\n",
                     ".SH EXAMPLES\n.nf\n  unmask cut \\-m DIR \\-p 'Why?'\n.fi\n", ".BR unmask (1)\n"):
            self.assertIn(line, page)

    def test_nothing_of_a_text_becomes_a_request(self):
        page = manual.page("unmask cut", "unmask 1.2.3", HELP, ["unmask"])
        self.assertIn("\n\\&.5 of them, 'C:\\ex'.\n", page)
        self.assertEqual(manual.roff("'quoted'"), "\\&'quoted'")


if __name__ == "__main__":
    unittest.main()
