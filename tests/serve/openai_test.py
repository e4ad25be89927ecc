#!/usr/bin/env python3
"""OpenAI's own client for JavaScript against the program: openai_test.py PROGRAM ROOT. Exits with 77 without
npm or a registry to install it from."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from harness import Server  # noqa: E402
from node_modules import NotInstalled, web_copy  # noqa: E402

SKIPPED = 77


def main() -> int:
    program, root = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    try:
        web = web_copy(root, program.parent)
    except NotInstalled as reason:
        print(f"skipped: {reason}")
        return SKIPPED
    with Server(str(program), root, key="secret") as server:
        script = root / "tests/serve/openai_test.mjs"
        return subprocess.run(["node", script, server.address, str(web)]).returncode


if __name__ == "__main__":
    sys.exit(main())
