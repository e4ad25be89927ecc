#!/usr/bin/env python3
"""Draws a trace of `unmask run --trace FILE` as an animated SVG: masks turn into tokens step by step.

The picture in the README:

    unmask run -m models/demo -f models/demo/prompts/several.txt -n 48 --block-length 48 --steps 24 \\
      --trace trace.jsonl
    tools/trace_to_svg.py trace.jsonl docs/images/unmasking.svg --title "What are the secrets of ...?"
"""
import argparse
import html
import json
import os
import sys
import tempfile

CHARACTER = 8.4  # width of one character of the 14 px monospace font
LINE = 26
MARGIN = 20
WIDTH = 760


def is_special(token):
    return token["text"].startswith("<|")


def answer_of(tokens):
    """Tokens up to the first end token; what fills the canvas behind it is no answer."""
    ends = [i for i, token in enumerate(tokens) if is_special(token)]
    return tokens[:ends[0] + 1] if ends else tokens


def layout(tokens):
    """Places every token in lines of at most WIDTH; yields (token, x, y, width)."""
    x, y = MARGIN, MARGIN + 46
    for token in tokens:
        shown = token["text"].replace("\n", "\u21b5").strip() or "\u00b7"
        width = max(2, len(shown)) * CHARACTER + 8
        if x + width > WIDTH - MARGIN:
            x, y = MARGIN, y + LINE
        yield token, shown, x, y, width
        x += width + 4


def draw(tokens, title, pace):
    """The SVG text. Each token appears at its step; the whole repeats after a pause."""
    steps = max(t["step"] for t in tokens) + 1
    total = (steps + 6) * pace  # six steps of rest, so that the result can be read
    parts = []
    bottom = 0
    for token, shown, x, y, width in layout(tokens):
        bottom = max(bottom, y)
        start = (token["step"] + 1) * pace / total
        color = "#8b949e" if is_special(token) else "#e6edf3"
        parts.append(
            f'<rect x="{x:.1f}" y="{y - 17}" width="{width:.1f}" height="22" rx="4" fill="#30363d">'
            f'<animate attributeName="fill" dur="{total:.2f}s" repeatCount="indefinite" '
            f'calcMode="discrete" keyTimes="0;{start:.4f};{min(start + pace / total, 1):.4f}" '
            f'values="#30363d;#1f6feb;#161b22"/></rect>'
            f'<text x="{x + 4:.1f}" y="{y}" fill="{color}">{html.escape(shown)}'
            f'<animate attributeName="opacity" dur="{total:.2f}s" repeatCount="indefinite" '
            f'calcMode="discrete" keyTimes="0;{start:.4f}" values="0;1"/></text>')
    height = bottom + MARGIN
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" font-family="monospace" font-size="14">'
            f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>'
            f'<text x="{MARGIN}" y="{MARGIN + 12}" fill="#58a6ff">{html.escape(title)}</text>')
    return head + "".join(parts) + "</svg>\n"


def write_atomically(path, text):
    directory = os.path.dirname(os.path.abspath(path))
    with tempfile.NamedTemporaryFile("w", dir=directory, delete=False, encoding="utf-8") as out:
        out.write(text)
    os.chmod(out.name, 0o644)
    os.replace(out.name, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace")
    parser.add_argument("out")
    parser.add_argument("--title", default="")
    parser.add_argument("--seconds-per-step", type=float, default=0.35)
    arguments = parser.parse_args()
    try:
        with open(arguments.trace, encoding="utf-8") as lines:
            tokens = sorted((json.loads(line) for line in lines), key=lambda t: t["position"])
        if not tokens:
            raise ValueError("the trace holds no tokens")
        write_atomically(arguments.out,
                         draw(answer_of(tokens), arguments.title, arguments.seconds_per_step))
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"trace_to_svg: {arguments.trace}: {error}")


if __name__ == "__main__":
    main()
