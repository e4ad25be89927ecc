#!/usr/bin/env python3
"""Checks the rules for the repository's text: plain sources of readable length, binary files in their
folders alone, a library that neither prints nor ends the process, documents of readable width that name
only existing files, no paths of somebody's machine, limits that stand where their table says, one list of
dependencies, and wrappers that forward every function of their interface. Exits with 77 where there is no
git to list the files.
"""

import pathlib
import re
import subprocess
import sys

MAX_LINES = 400
MAX_PROSE = 120
PLAIN = (".h", ".cc", ".inc", ".cu", ".cmake", "CMakeLists.txt")
LIMITED = (".h", ".cc", ".inc", ".cu", ".py")

COMMENT_OR_STRING = re.compile(r'//.*|"(\\.|[^"\\])*"')
PRINTS_OR_EXITS = re.compile(
    r"\bstd::c(out|err|log)\b|\bfmt::print|\b(f?printf|f?puts|abort|_?exit|quick_exit)\s*\(")
NAMED_PLACE = re.compile(r"`(\w+)`, `(\w+/[\w./-]+)`")
NAMED_FILE = re.compile(r"(?<![\w/.~-])(?:src|tests|tools|benchmarks|docs|models|\.ci)/[\w./-]+")
MACHINE_PATH = re.compile(r"(?<![\w.~/:-])/(?:home|root|Users|mnt|opt|srv|work|workspace)/\w")
DEPENDENCY_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
VIRTUAL = re.compile(r"^ +virtual [^;{~]*?(\w+)\(", re.MULTILINE)
FORWARDED = re.compile(r"^ +[\w:<>&*, ]+ (\w+)\([^;{]*\) (?:const )?override \{", re.MULTILINE)
WRAPPERS = {"src/kernels/backend_wrapper.h": ("src/kernels/backend.h", "Backend"),
            "src/methods/method_wrapper.h": ("src/model/method.h", "Method")}
DATA = ("models/", "tests/golden/", "fuzz/corpus/", "docs/images/")
PACKAGE_LIST = re.compile(r"^\w+_packages=\(([^)]*)\)", re.MULTILINE)


def source_text(path: str, text: str) -> list[str]:
    """Tabs, trailing blanks and anything but ASCII in sources."""
    if not path.endswith(PLAIN):
        return []
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if "\t" in line:
            found.append(f"{path}:{number}: tab")
        if line != line.rstrip():
            found.append(f"{path}:{number}: trailing blank")
        if not line.isascii():
            found.append(f"{path}:{number}: not ASCII (use escapes)")
    return found


def length(path: str, text: str) -> list[str]:
    lines = text.count("\n")
    limited = path.startswith(("src/", "tests/", "tools/", "benchmarks/", "fuzz/")) and path.endswith(LIMITED)
    if limited and lines > MAX_LINES:
        return [f"{path}: {lines} lines, expected at most {MAX_LINES}"]
    return []


def prose_width(path: str, text: str) -> list[str]:
    """Lines of documents; tables, pictures and code may be as wide as they are."""
    if not path.endswith(".md"):
        return []
    found, in_code = [], False
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif len(line) > MAX_PROSE and not in_code and not line.startswith(("|", "!", "    ")):
            found.append(f"{path}:{number}: {len(line)} characters, expected at most {MAX_PROSE}")
    return found


def library_manners(path: str, text: str) -> list[str]:
    """The library reports through return values and exceptions; only the programs print and exit."""
    if not path.startswith("src/") or path.startswith("src/apps/") or not path.endswith(PLAIN):
        return []
    return [f"{path}:{number}: the library neither prints nor exits: {match[0]}"
            for number, line in enumerate(text.split("\n"), 1)
            if (match := PRINTS_OR_EXITS.search(COMMENT_OR_STRING.sub("", line)))]


def stray_data(path: str, data: bytes) -> list[str]:
    """What tools leave behind in the folder they run in, and a commit of everything takes along."""
    if b"\0" in data and not path.startswith(DATA):
        return [f"{path}: binary, expected in one of {', '.join(DATA)}"]
    return []


def machine_paths(path: str, text: str) -> list[str]:
    return [f"{path}:{number}: path of one machine: {match[0]}..."
            for number, line in enumerate(text.split("\n"), 1)
            if (match := MACHINE_PATH.search(line))]


def named_files(path: str, text: str, existing: set[str]) -> list[str]:
    """Documents name only files and folders of the repository. The change log speaks of the past."""
    if not path.endswith(".md") or path == "CHANGELOG.md":
        return []
    names = {name.rstrip("./-") for name in NAMED_FILE.findall(text)}
    return [f"{path}: names {name}, which does not exist" for name in sorted(names - existing)]


def named_places(path: str, texts: dict[str, str]) -> list[str]:
    """What a document names with its place, as in "`kMaxKeys`, `src/io/gguf.cc`", stands in that file."""
    return [f"{path}: {place} has no {name}" for name, place in NAMED_PLACE.findall(texts.get(path, ""))
            if not re.search(rf"\b{name}\b", texts.get(place, ""))]


def dependencies(dev: str, document: str) -> list[str]:
    installed = {name for group in PACKAGE_LIST.findall(dev) for name in group.split()}
    listed = set(DEPENDENCY_ROW.findall(document))
    return ([f"docs/dependencies.md: {name}, which ./dev installs, is missing"
             for name in sorted(installed - listed)] +
            [f"docs/dependencies.md: lists {name}, which ./dev does not install"
             for name in sorted(listed - installed)])


def forwarding(path: str, wrapper: str, interface: str, class_name: str) -> list[str]:
    """A wrapper that lacks a function would answer with the interface's default in silence."""
    body = re.search(rf"^class {class_name} .*?^}};", interface, re.MULTILINE | re.DOTALL)
    functions = sorted(VIRTUAL.findall(body[0])) if body else []
    if not functions:
        return [f"{path}: no virtual function found in the class {class_name} that it wraps"]
    forwarded = FORWARDED.findall(wrapper)
    return [f"{path}: does not forward {class_name}::{name}"
            for name in functions if functions.count(name) > forwarded.count(name)]


def tracked_files(root: pathlib.Path) -> list[str] | None:
    """None without git or outside a checkout. The option allows a clone that another user owns."""
    command = ["git", "-C", str(root), "-c", "safe.directory=*", "ls-files", "-z"]
    try:
        listing = subprocess.run(command, check=True, capture_output=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        return None
    return [name for name in listing.split("\0") if name and (root / name).is_file()]


def check(root: pathlib.Path, files: list[str]) -> list[str]:
    existing = set(files)
    for name in files:
        existing.update(parent.as_posix() for parent in pathlib.PurePosixPath(name).parents)
    found = []
    texts = {}
    for path in files:
        data = (root / path).read_bytes()
        found += stray_data(path, data)
        if b"\0" in data or path.startswith(("models/", "tests/golden/")):
            continue  # data, not text of ours
        text = texts[path] = data.decode("utf-8", "replace")
        found += source_text(path, text) + length(path, text) + library_manners(path, text)
        found += prose_width(path, text) + machine_paths(path, text) + named_files(path, text, existing)
    for path, (interface, class_name) in WRAPPERS.items():
        if path not in texts:
            continue
        found += forwarding(path, texts.get(path, ""), texts.get(interface, ""), class_name)
    found += named_places("docs/limits.md", texts)
    return found + dependencies(texts.get("dev", ""), texts.get("docs/dependencies.md", ""))


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    files = tracked_files(root)
    if files is None:
        print("repository rules: not a git checkout, nothing checked")
        return 77
    violations = check(root, files)
    print("\n".join(violations) or "repository rules: nothing to complain about")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
