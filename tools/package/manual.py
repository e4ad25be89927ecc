#!/usr/bin/env python3
"""Writes the manual pages of a program from what it says of itself: manual.py PROGRAM FOLDER.

One page for the program and one for each command, unmask-run(1) and so on, so that a manual never says
anything else than --help. The layout of these texts is that of src/apps/options/help.cc."""

import pathlib
import re
import subprocess
import sys

HEADING = re.compile(r"^(\S.*):$")
ENTRY = re.compile(r"^  (\S.*?)(?:  +(\S.*))?$")
MORE = re.compile(r"^ {8,}(\S.*)$")  # of a description, which begins at column 26


def roff(text: str) -> str:
    """Text that the formatter takes as it is: no escapes, no requests, hyphens that can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def entries(lines: list[str]) -> list[tuple[str, str]]:
    """Names and descriptions of the options or commands of a section."""
    found: list[tuple[str, str]] = []
    for line in lines:
        more = MORE.match(line)
        entry = ENTRY.match(line)
        if more and found:
            names, description = found[-1]
            found[-1] = (names, f"{description} {more[1]}".strip())
        elif entry:
            found.append((entry[1], entry[2] or ""))
        else:
            raise ValueError(f"found {line!r}, expected an option or a command")
    return found


def sections(lines: list[str]) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """Lines below each heading, and the paragraphs that have none."""
    headed: list[tuple[str, list[str]]] = []
    prose: list[str] = []
    inside = False
    for line in lines:
        heading = HEADING.match(line)
        if heading:
            headed.append((heading[1], []))
            inside = True
        elif inside and line.startswith("  "):
            headed[-1][1].append(line)
        else:
            inside = False
            prose.append(line)
    return [section for section in headed if section[1]], prose


def page(name: str, version: str, text: str, others: list[str]) -> str:
    """The page of one command, `name` as it is typed ("unmask run"), from its help."""
    what, usage, *rest = text.strip("\n").split("\n")
    what = what.rstrip(".")
    synopsis = usage.removeprefix(f"Usage: {name}").strip()
    headed, prose = sections(rest)
    title = name.replace(" ", "-")
    out = [f'.TH {title.upper()} 1 "" "{version}" "User Commands"', ".ad l", ".SH NAME",
           f"{roff(title)} \\- {roff(what[0].lower() + what[1:])}",
           ".SH SYNOPSIS", f".B {roff(name)}", roff(synopsis)]
    description = "\n".join(prose).strip("\n")
    if description:
        out.append(".SH DESCRIPTION")
        out += [roff(line) if line else ".PP" for line in description.split("\n")]
    for heading, lines in headed:
        if heading == "Examples":
            out += [".SH EXAMPLES", ".nf", *(roff(line) for line in lines), ".fi"]
            continue
        out.append(f'.SH "{heading.upper()}"')
        for names, about in entries(lines):
            out += [".TP", f".B {roff(names)}", roff(about)]
    out += [".SH SEE ALSO", *(f".BR {roff(other)} (1)" for other in others)]
    return "\n".join(out) + "\n"


def main() -> int:
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])

    def ask(*words: str) -> str:
        return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout

    version = ask("--version").strip()
    overview = ask("--help")
    headed, _ = sections(overview.strip("\n").split("\n")[2:])
    commands = [names for names, _ in entries(dict(headed)["Subcommands"])]
    folder.mkdir(parents=True, exist_ok=True)
    pages = [f"unmask-{command}" for command in commands]
    (folder / "unmask.1").write_text(page("unmask", version, overview, pages), encoding="utf-8")
    for command in commands:
        text = page(f"unmask {command}", version, ask(command, "--help"), ["unmask"])
        (folder / f"unmask-{command}.1").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
