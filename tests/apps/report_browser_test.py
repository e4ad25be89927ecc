#!/usr/bin/env python3
"""Opens a report of `unmask eval` in Chromium: report_browser_test.py PROGRAM ROOT. Exits with 77
where there is no Chromium."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

NAMES = ("chromium", "chromium-browser", "google-chrome")
SKIPPED = 77


def main() -> int:
    program, root = sys.argv[1:]
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        print(f"skipped: none of {', '.join(NAMES)} is installed (Debian: chromium)")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "eval", "-m", f"{root}/models/demo", "--task", "multikey", "--length",
                        "128", "--limit", "2", "--tokens-per-step", "8", "--fidelity", "--method", "full",
                        "--method", "sparse-dllm:keep=0.3", "-o", f"{folder}/out"], check=True, timeout=120,
                       stdout=subprocess.DEVNULL)
        # What the page tells its console, errors above all, comes on the error stream.
        result = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
                                 f"--user-data-dir={folder}/profile", "--window-size=1300,1500",
                                 f"--screenshot={folder}/page.png", "--dump-dom",
                                 pathlib.Path(f"{folder}/out/report.html").as_uri()],
                                capture_output=True, text=True, timeout=120, check=True)
        complaints = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
        assert not complaints, complaints
        assert result.stdout.count("<svg") == 5, "three plots and two maps of heads"
        assert "sparse-dllm:keep=0.3" in result.stdout and "parsererror" not in result.stdout
    print(f"{browser} opened the report without complaints")
    return 0


if __name__ == "__main__":
    sys.exit(main())
