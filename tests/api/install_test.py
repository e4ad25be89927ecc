#!/usr/bin/env python3
"""The library as foreign projects use it: install_test.py ROOT BUILD.

Installs the build into a folder of its own, builds examples/ against it as a CMake project and with
pkg-config, and compares what the examples print with what the installed program answers."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

ROOT, BUILD = pathlib.Path(), pathlib.Path()
QUESTION = ("Text: It was late. The code of the brave otter is 4821. Rain fell. "
            "Question: What is the code of the brave otter?")
ANSWER = "brave otter: 4821\n"
HOLES = "The code of the brave otter is 4821. The code of the ___{2} is 4821."
METHODS = ("full", "sparsed")


def run(*command, environment: dict[str, str] | None = None) -> str:
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False,
                            env={**os.environ, **(environment or {})})
    if result.returncode != 0:
        raise AssertionError(f"{command}: {result.stdout}{result.stderr}")
    return result.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.prefix = BUILD / "installed"
        shutil.rmtree(cls.prefix, ignore_errors=True)
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        cls.demo = cls.prefix / "share" / "unmask" / "demo"
        cls.examples = BUILD / "examples"
        run("cmake", "-S", ROOT / "examples", "-B", cls.examples, f"-DCMAKE_PREFIX_PATH={cls.prefix}",
            "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror",
            "-DCMAKE_C_FLAGS=-Wall -Wextra -Werror")
        run("cmake", "--build", cls.examples)

    def program(self, *words) -> str:
        return run(self.prefix / "bin" / "unmask", *words)

    def example(self, name: str, *words) -> str:
        """What an example prints, in C++, C and Python the same."""
        cpp = run(self.examples / name, self.demo, *words)
        self.assertEqual(run(self.examples / f"{name}_c", self.demo, *words), cpp)
        python = run("/usr/bin/python3", ROOT / "examples" / "python" / f"{name}.py", self.demo, *words,
                     environment={"PYTHONPATH": str(self.prefix / "lib/python3/dist-packages"),
                                  "PYTHONDONTWRITEBYTECODE": "1"})
        self.assertEqual(python, cpp)
        return cpp

    def test_complete_answers_as_the_program_does(self):
        self.assertEqual(self.example("complete", QUESTION), ANSWER)
        self.assertEqual(self.program("run", "-m", self.demo, "-p", QUESTION), ANSWER)

    def test_stream_ends_with_the_program_s_answer(self):
        lines = self.example("stream", QUESTION).splitlines(keepends=True)
        self.assertEqual(lines[-1], self.program("run", "-m", self.demo, "-p", QUESTION, "--preset", "exact",
                                                 "-n", "32"))
        left = [int(line.split()[1]) for line in lines[:-1]]
        self.assertEqual(left[0], 31)
        self.assertEqual(left, sorted(left, reverse=True))

    def test_fill_fills_as_the_program_does(self):
        self.assertEqual(self.example("fill", HOLES), self.program("run", "-m", self.demo, "--fill", HOLES))

    def test_decide_gives_probabilities(self):
        lines = self.example("decide", "It was late.", "Who?", "an otter", "an owl", "a fox").splitlines()
        self.assertEqual([line.split(" ", 1)[1] for line in lines], ["an otter", "an owl", "a fox"])
        self.assertAlmostEqual(sum(float(line.split()[0]) for line in lines), 1, delta=0.002)

    def test_compare_methods_says_what_each_costs(self):
        lines = self.example("compare_methods", QUESTION, *METHODS).splitlines(keepends=True)
        for line, method in zip(lines, METHODS, strict=True):
            self.assertTrue(line.startswith(f"{method}: "), line)
            answer = self.program("run", "-m", self.demo, "-p", QUESTION, "--preset", "exact", "-n", "32",
                                  "--method", method)
            self.assertEqual(line.split("rows: ")[1], answer)

    def test_errors_are_one_line(self):
        for example in ("complete", "complete_c"):
            failed = subprocess.run([self.examples / example, "no/such/model", "Hi"], capture_output=True,
                                    text=True, check=False)
            self.assertEqual((failed.returncode, failed.stdout), (1, ""))
            self.assertIn("no/such/model", failed.stderr)
            self.assertEqual(failed.stderr.count("\n"), 1)

    def test_pkg_config_knows_both_libraries(self):
        environment = {"PKG_CONFIG_PATH": str(self.prefix / "lib" / "pkgconfig")}
        source = ROOT / "examples" / "c" / "complete.c"
        flags = run("pkg-config", "--cflags", "--libs", "unmask", environment=environment).split()
        run("cc", "-o", self.examples / "shared", source, *flags)
        answer = run(self.examples / "shared", self.demo, QUESTION,
                     environment={"LD_LIBRARY_PATH": str(self.prefix / "lib")})
        self.assertEqual(answer, ANSWER)
        flags = run("pkg-config", "--static", "--cflags", "--libs", "unmask", environment=environment).split()
        archive = ["-l:libunmask.a" if flag == "-lunmask" else flag for flag in flags]
        run("cc", "-o", self.examples / "static", source, *archive)
        self.assertEqual(run(self.examples / "static", self.demo, QUESTION), ANSWER)

    def test_a_project_in_c_alone_finds_it(self):
        folder = BUILD / "examples_c"
        folder.mkdir(exist_ok=True)
        (folder / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.16)\nproject(mine LANGUAGES C)\nfind_package(unmask 0.1 REQUIRED)\n"
            f"add_executable(mine {ROOT / 'examples' / 'c' / 'complete.c'})\n"
            "target_link_libraries(mine PRIVATE unmask::unmask)\n", encoding="utf-8")
        run("cmake", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", folder / "build")
        self.assertEqual(run(folder / "build" / "mine", self.demo, QUESTION), ANSWER)

    def test_the_program_finds_a_plug_in_that_is_installed(self):
        """One of another build, which is refused as that: so it was found and opened."""
        plugin = self.prefix / "lib" / "libunmask_cuda.so"
        shutil.copy(BUILD / "libforeign_plugin.so", plugin)
        failed = subprocess.run([self.prefix / "bin" / "unmask", "run", "-m", self.demo, "-p", "Hi", "--device",
                                 "cuda"], capture_output=True, text=True, check=False)
        self.assertEqual(failed.returncode, 1)
        self.assertIn(f"{plugin} was built for another version", failed.stderr)

    def test_manual_and_completions_are_there(self):
        share = self.prefix / "share"
        for command in ("run", "serve", "inspect-attention"):
            text = (share / "man" / "man1" / f"unmask-{command}.1").read_text(encoding="utf-8")
            shown = self.program(command, "--help")
            for word in shown.split():
                if word.startswith("--") and word.rstrip(",").strip("-").replace("-", "").isalnum():
                    self.assertIn(word.rstrip(",").replace("-", "\\-"), text)
        for file, shell in (("bash-completion/completions/unmask", "bash"), ("zsh/site-functions/_unmask", "zsh"),
                            ("fish/vendor_completions.d/unmask.fish", "fish")):
            self.assertEqual((share / file).read_text(encoding="utf-8"), self.program("completion", shell))


if __name__ == "__main__":
    ROOT, BUILD = map(pathlib.Path, sys.argv[1:3])
    unittest.main(argv=sys.argv[:1])
