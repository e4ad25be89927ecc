"""Each rule of tools/check_repository.py finds its violation and leaves its neighbours alone."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_repository as rules  # noqa: E402  (found through the path above)


class CheckRepository(unittest.TestCase):
    def test_source_text(self):
        for bad in ("\tint a;\n", "int a; \n", "// \u00e4\n", "int a;\r\n"):
            self.assertEqual(len(rules.source_text("src/core/a.cc", "\n" + bad)), 1, bad)
        self.assertEqual(rules.source_text("src/core/a.cc", "int a;\n\n"), [])
        self.assertEqual(rules.source_text("README.md", "\u00e4 \n"), [])

    def test_length(self):
        for path in ("src/io/a.cc", "tests/io/a.h", "tools/a.py"):
            self.assertEqual(len(rules.length(path, "\n" * 401)), 1, path)
            self.assertEqual(rules.length(path, "\n" * 400), [], path)
        self.assertEqual(rules.length("docs/a.md", "\n" * 401), [])

    def test_prose_width(self):
        long = "a " * 70
        self.assertEqual(rules.prose_width("docs/a.md", f"a\n{long}\n"),
                         ["docs/a.md:2: 140 characters, expected at most 120"])
        for good in (f"| {long} |", f"![{long}](a.png)", f"```sh\n{long}\n```", f"    {long}"):
            self.assertEqual(rules.prose_width("docs/a.md", good), [], good)
        self.assertEqual(rules.prose_width("src/a.cc", long), [])

    def test_library_manners(self):
        for bad in ("std::cout << 1;", "printf(text);", "std::abort();", "exit (1);", "fmt::print(x);"):
            self.assertEqual(len(rules.library_manners("src/io/a.cc", bad)), 1, bad)
            self.assertEqual(rules.library_manners("src/apps/a.cc", bad), [], bad)
        for good in ("snprintf(a, n, b);", "// printf()", 'fail("exit(1)");', "on_exit(f);"):
            self.assertEqual(rules.library_manners("src/io/a.cc", good), [], good)

    def test_stray_data(self):
        self.assertEqual(len(rules.stray_data("default.profraw", b"a\0b")), 1)
        self.assertEqual(rules.stray_data("docs/images/a.png", b"a\0b"), [])
        self.assertEqual(rules.stray_data("src/a.cc", b"text"), [])

    def test_machine_paths(self):
        self.assertEqual(len(rules.machine_paths("docs/a.md", "see /" + "home/me/model")), 1)
        self.assertEqual(rules.machine_paths("docs/a.md", "~/home/x /usr/share/doc src/work/a"), [])

    def test_named_files(self):
        existing = {"src", "src/io", "src/io/a.h"}
        text = "`src/io/a.h`, src/io/, build/release/tools/x and src/io/b.h."
        self.assertEqual(rules.named_files("docs/a.md", text, existing),
                         ["docs/a.md: names src/io/b.h, which does not exist"])
        self.assertEqual(rules.named_files("CHANGELOG.md", text, existing), [])

    def test_named_places(self):
        texts = {"docs/a.md": "| `kA`, `src/a.cc` | `kB`, `src/a.cc` | `kA`, `src/b.cc` |",
                 "src/a.cc": "int kA = 1; int kBB = 2;"}
        self.assertEqual(rules.named_places("docs/a.md", texts),
                         ["docs/a.md: src/a.cc has no kB", "docs/a.md: src/b.cc has no kA"])

    def test_dependencies(self):
        dev = "build_packages=(g++ cmake\n  libfmt-dev)\ntest_packages=(python3)\n"
        listed = "| Package |\n|---|\n| `g++` | x |\n| `cmake` | x |\n| `python3` | x |\n| `old` | x |\n"
        self.assertEqual(rules.dependencies(dev, listed), [
            "docs/dependencies.md: libfmt-dev, which ./dev installs, is missing",
            "docs/dependencies.md: lists old, which ./dev does not install"])

    def test_forwarding(self):
        interface = ("class Other {\n  virtual void no();\n};\nclass A {\n  virtual ~A() = default;\n"
                     "  virtual int f() const = 0;\n  virtual void f(int x) {}\n"
                     "  virtual std::vector<int> g(\n      int x);\n  void plain();\n};\n")
        one = "  int f() const override { return inner_->f(); }\n"
        two = "  void f(int x) override { inner_->f(x); }\n"
        three = "  std::vector<int> g(\n      int x) override {\n    return inner_->g(x);\n  }\n"

        def found(wrapper, class_name="A"):
            return rules.forwarding("w.h", wrapper, interface, class_name)
        self.assertEqual(found(one + two + three), [])
        self.assertEqual(len(found(one + three)), 2)
        self.assertEqual(found(one + two), ["w.h: does not forward A::g"])
        self.assertEqual(len(found(one, "B")), 1)

    def test_check_applies_every_rule_to_files(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            texts = {"src/io/a.cc": "\tabort();\n" + "\n" * 400, "dev": "x_packages=(a)\n",
                     "docs/b.md": "src/c.h in /" + "home/me\n", "docs/dependencies.md": "| `a` |\n"}
            for name, text in texts.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            self.assertEqual(len(rules.check(root, list(texts))), 5)


if __name__ == "__main__":
    unittest.main()
