#!/usr/bin/env python3
"""Draws how an answer came about, as an animated SVG, from what `unmask run --trace` wrote:

    unmask run -m models/demo -f models/demo/prompts/several.txt -n 48 --block-length 48 --steps 24 \\
      --trace trace.jsonl
    tools/draw_unmasking.py trace.jsonl --title "What are the secrets of these?" -o unmasking.svg
"""

import argparse
import html
import json
import pathlib

WIDTH = 760
MARGIN = 20
LETTER = 8.4  # width of a letter of the monospaced font
LINE = 26  # height of a line of boxes
TOP = 49
STEP_SECONDS = 0.35
STEPS_AT_REST = 14  # that the whole answer stays
MASKED, FRESH, DECIDED = "#30363d", "#1f6feb", "#161b22"
TEXT, SPECIAL, TITLE, BACKGROUND = "#e6edf3", "#8b949e", "#58a6ff", "#0d1117"


def is_special(text: str) -> bool:
    return text.startswith("<|") and text.endswith("|>")


def shown(records: list[dict]) -> list[dict]:
    """The answer with its end of turn; the padding behind it only shows when it is decided."""
    answer = sorted(records, key=lambda record: record["position"])
    ends = [i for i, record in enumerate(answer) if is_special(record["text"])]
    return answer[:ends[0] + 1] if ends else answer


def animate(attribute: str, duration: float, times: list[float], values: list[str]) -> str:
    return (f'<animate attributeName="{attribute}" dur="{duration:.2f}s" repeatCount="indefinite" '
            f'calcMode="discrete" keyTimes="{";".join(f"{t:.4g}" for t in times)}" '
            f'values="{";".join(values)}"/>')


def token(record: dict, x: float, y: float, width: float, first: int, steps: int) -> str:
    """A box that is masked, lights up when its token is decided, and then shows it."""
    duration = steps * STEP_SECONDS
    at = max((record["step"] - first + 1) / steps, 0.0001)
    box = animate("fill", duration, [0, at, at + 1 / steps], [MASKED, FRESH, DECIDED])
    word = animate("opacity", duration, [0, at], ["0", "1"])
    colour = SPECIAL if is_special(record["text"]) else TEXT
    return (f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="22" rx="4" fill="{MASKED}">{box}'
            f'</rect><text x="{x + 4:.1f}" y="{y + 17}" fill="{colour}">'
            f'{html.escape(record["text"].strip())}{word}</text>')


def draw(records: list[dict], title: str) -> str:
    answer = shown(records)
    first = min(record["step"] for record in answer)
    steps = max(record["step"] for record in answer) - first + 1 + STEPS_AT_REST
    x, y, parts = float(MARGIN), TOP, []
    for record in answer:
        width = LETTER * max(1, len(record["text"].strip())) + 8
        if x + width > WIDTH - MARGIN:
            x, y = float(MARGIN), y + LINE
        parts.append(token(record, x, y, width, first, steps))
        x += width + 4
    height = y + LINE + 11
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" font-family="monospace" font-size="14"><rect width="100%" '
            f'height="100%" rx="8" fill="{BACKGROUND}"/><text x="{MARGIN}" y="32" fill="{TITLE}">'
            f'{html.escape(title)}</text>{"".join(parts)}</svg>\n')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", type=pathlib.Path, help="JSON lines of unmask run --trace")
    parser.add_argument("--title", default="", help="the question")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    lines = arguments.trace.read_text(encoding="utf-8").splitlines()
    picture = draw([json.loads(line) for line in lines], arguments.title)
    part = arguments.output.with_suffix(".part")
    part.write_text(picture, encoding="utf-8")
    part.replace(arguments.output)


if __name__ == "__main__":
    main()
