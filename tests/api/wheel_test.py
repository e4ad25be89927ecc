#!/usr/bin/env python3
"""The Python package as a user installs it, in a fresh environment and without a network:
wheel_test.py ROOT BUILD. Skipped where Debian's Python lacks venv."""

import os
import pathlib
import subprocess
import sys
import tempfile

PYTHON = "/usr/bin/python3"
SCRIPT = """
import unmask
model = unmask.Model(MODEL)
question = "Text: The code of the brave otter is 4821. Question: What is the code of the brave otter?"
print(unmask.__version__, unmask.__file__)
print(model.generate(question))
"""


def run(*command: str, **more) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def main() -> int:
    root, build = map(pathlib.Path, sys.argv[1:])
    if subprocess.run([PYTHON, "-c", "import ensurepip, numpy"], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        return 77
    environment = {**os.environ, "UNMASK_DIR": str(build), "PIP_NO_INDEX": "1",
                   "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as folder:
        run(PYTHON, "-m", "venv", "--system-site-packages", folder)
        run(f"{folder}/bin/pip", "install", "--quiet", str(root / "python"), env=environment)
        script = SCRIPT.replace("MODEL", repr(str(root / "models" / "demo")))
        first, answer = run(f"{folder}/bin/python", "-c", script, env=environment, cwd=folder).splitlines()
        assert folder in first, first
        assert answer == "brave otter: 4821", answer
        run(f"{folder}/bin/pip", "uninstall", "--quiet", "--yes", "unmask", env=environment)
        left = list(pathlib.Path(folder).rglob("*unmask*"))
        assert not left, left
    return 0


if __name__ == "__main__":
    sys.exit(main())
