#!/usr/bin/env python3
"""The page's sources: its unit tests pass, and they build to what is committed in web/dist, byte by byte:
build_test.py ROOT BUILD. Exits with 77 without npm or a registry to install from."""

import filecmp
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from node_modules import NotInstalled, web_copy  # noqa: E402

SKIPPED = 77
FILES = ("app.js", "app.css", "index.html")


def main() -> int:
    root, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    try:
        web = web_copy(root, build)
    except NotInstalled as reason:
        print(f"skipped: {reason}")
        return SKIPPED
    for task in ("build", "test"):
        subprocess.run(["npm", "run", "--silent", task], cwd=web, check=True)
    _, other, missing = filecmp.cmpfiles(web / "dist", root / "web/dist", FILES, shallow=False)
    for name in other + missing:
        print(f"web/dist/{name} is not what its sources build to; run `npm run build` in web/")
    return 1 if other or missing else 0


if __name__ == "__main__":
    sys.exit(main())
