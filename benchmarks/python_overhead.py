#!/usr/bin/env python3
"""What Python adds to a batch: python_overhead.py BUILD MODEL [PROMPTS] [REPEATS]

The same prompts, answered by `unmask batch` and by unmask.Model.batch in turns, and the imports alone; both load
the model and compute with one thread, and their answers must be equal. Prints the least processor time of
each: what a busy machine adds is never negative."""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

OPTIONS = {"preset": "exact", "gen_length": 64, "early_stop": False}
IN_PYTHON = """
import json, sys, unmask
lines = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
model = unmask.Model(sys.argv[1], threads=1)
for result in model.batch([line["prompt"] for line in lines], **json.loads(sys.argv[3])):
    print(result.text)
"""


def measured(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Seconds of processors, output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, output


def main() -> int:
    build, model = pathlib.Path(sys.argv[1]), sys.argv[2]
    prompts, repeats = (int(word) for word in [*sys.argv[3:], "64", "5"][:2])
    environment = {**os.environ, "PYTHONPATH": str(build / "python")}
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for i in range(prompts):
            text = f"Text: The code of the brave otter is {1000 + i}. Question: What is the code of the brave otter?"
            file.write(json.dumps({"prompt": text}) + "\n")
        file.flush()
        commands = {
            "unmask batch": [str(build / "unmask"), "batch", "-m", model, "-f", file.name, "--threads", "1",
                             "--preset", "exact", "-n", "64", "--no-early-stop"],
            "Python": ["/usr/bin/python3", "-c", IN_PYTHON, model, file.name, json.dumps(OPTIONS)],
            "imports": ["/usr/bin/python3", "-c", "import json, sys, unmask"],
        }
        seconds: dict[str, float] = {}
        answers: dict[str, list[str]] = {}
        for _ in range(repeats):
            for name, command in commands.items():
                taken, output = measured(command, environment)
                seconds[name] = min(taken, seconds.get(name, taken))
                answers[name] = output.splitlines()
    texts = [json.loads(line)["text"] for line in answers["unmask batch"]]
    assert texts == answers["Python"], "the answers differ"
    for name, least in seconds.items():
        print(f"{name:13} {least:7.3f} s")
    program = seconds["unmask batch"]
    print(f"Python / unmask batch: {seconds['Python'] / program:.3f}, "
          f"imports aside {(seconds['Python'] - seconds['imports']) / program:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
