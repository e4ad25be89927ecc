#!/usr/bin/env python3
"""Puts the figures of a run into the tables of docs/benchmarks.md: write_targets.py FIGURES.json [DOCUMENT], after
`unmask bench --preset targets --save FIGURES.json`."""

import argparse
import json
import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRODUCT = re.compile(r"(\w+) product (\d+x\d+), (\d+) rows?, (\d+) threads?$")


def wanted(target: dict) -> str:
    return f"at least {target['at_least']:.2f}" if "at_least" in target else f"at most {target['at_most']:.2f}"


def verdict(target: dict) -> str:
    return "yes" if target["met"] else "**no**" if target["missed"] else "nearly"


def table_of_targets(targets: list[dict]) -> list[str]:
    return ["| what | figure (least-most) | wanted | met |", "|---|---|---|---|"] + [
        f"| {t['what']} | {t['figure']:.2f} ({t['least']:.2f}-{t['most']:.2f}) | {wanted(t)} | {verdict(t)} |"
        for t in targets if not PRODUCT.match(t["what"])]


def table_of_products(targets: list[dict]) -> list[str]:
    lines: dict[tuple, dict[str, str]] = {}
    for t in targets:
        if found := PRODUCT.match(t["what"]):
            weights, shape, rows, threads = found.groups()
            cell = f"{t['figure']:.2f} [{t['at_least']:.2f}]"
            lines.setdefault((weights, shape, threads), {})[rows] = cell if t["met"] else f"**{cell}**"
    columns = list(next(iter(lines.values())))
    heads = " | ".join(f"{rows} row{'s' if rows != '1' else ''}" for rows in columns)
    return [f"| weights | depth x outputs | threads | {heads} |", "|" + "---|" * (3 + len(columns))] + [
        f"| {' | '.join(key)} | {' | '.join(cells[rows] for rows in columns)} |" for key, cells in lines.items()]


def replaced(text: str, table: list[str]) -> str:
    """The table with the same first cell becomes this one."""
    lines = text.split("\n")
    first_cell = table[0].split("|")[1]
    begin = next((i for i, line in enumerate(lines) if line.startswith(f"|{first_cell}|")), None)
    if begin is None:
        raise SystemExit(f"no table that begins with '|{first_cell}|'")
    end = next(i for i in range(begin, len(lines) + 1) if i == len(lines) or not lines[i].startswith("|"))
    return "\n".join(lines[:begin] + table + lines[end:])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("figures", type=pathlib.Path)
    arguments.add_argument("document", type=pathlib.Path, nargs="?", default=ROOT / "docs" / "benchmarks.md")
    a = arguments.parse_args()
    targets = json.loads(a.figures.read_text())
    text = a.document.read_text()
    for table in (table_of_targets(targets), table_of_products(targets)):
        text = replaced(text, table)
    new = a.document.with_suffix(".new")
    new.write_text(text)
    os.replace(new, a.document)


if __name__ == "__main__":
    main()
