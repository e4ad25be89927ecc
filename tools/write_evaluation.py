#!/usr/bin/env python3
"""Runs the experiments of docs/evaluation.md and writes their tables into it: write_evaluation.py
--help.

Results are kept in a folder, so an interrupted run goes on; remove the folder after a change of the
model. The verdicts on the papers' claims follow from the results by rule.
"""

import argparse
import json
import math
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXPERIMENTS = ("compare", "sparsed-ablation", "sparse-dllm-ablation")
FIDELITY = ["--task", "multikey,multiquery", "--length", "512", "--fidelity", "--tokens-per-step", "2"]
FIDELITY_METHODS = ("full", "sparsed:block=16,select=0.5", "sparsed:block=16,select=0.3",
                    "sparsed:block=16,select=0.3,skip=0", "sparsed:block=16,select=0.3,isolated=false",
                    "sparsed:block=16,select=0.1",
                    "sparse-dllm:keep=0.5", "sparse-dllm:keep=0.3", "sparse-dllm:keep=0.1",
                    "sparse-dllm:keep=0.5,score=random", "fast-dllm:cache=dual",
                    "sliding-window:share=0.3,block=16")

LONGER = ["--task", "multivalue,multiquery", "--length", "1024", "--tokens-per-step", "2"]
LONGER_METHODS = ("full", "sparsed:block=16,select=0.5", "sparsed:block=16,select=0.3",
                  "sparse-dllm:keep=0.5", "sparse-dllm:keep=0.3", "fast-dllm:cache=dual",
                  "sliding-window:share=0.3,block=16")

WORDINGS = ("last", "first", "both")

HALF = "sparsed:block=16,select=0.5"
SPARSED = "sparsed:block=16,select=0.3"
STARVED = "sparsed:block=16,select=0.1"
# A claim: text, experiment, method, what it is compared with, and the points by which the first may fall
# short of the second ("within"), or has to ("below").
CLAIMS = (
    ("SparseD at half of the keys is within 0.5 points of full attention", "compare",
     HALF, "full", "within", 0.5),
    ("the same at 1,024 tokens, on multivalue and multiquery", "longer", HALF, "full", "within", 0.5),
    ("SparseD at 30 % of the keys is within 0.5 points of full attention", "compare", SPARSED,
     "full", "within", 0.5),
    ("the same at 1,024 tokens, on multivalue and multiquery", "longer", SPARSED, "full", "within", 0.5),
    ("a sliding window as wide is more than 20 points below", "compare",
     "sliding-window:share=0.3,block=16", "full", "below", 20),
    ("attention sinks do not save it", "compare", "streaming-llm:share=0.3,block=16,sinks=16",
     "full", "below", 20),
    ("Sparse-dLLM at keep 0.5 is within 1 point of full attention", "compare", "sparse-dllm:keep=0.5",
     "full", "within", 1),
    ("what to keep matters: by lot it is more than 20 points below", "sparse-dllm-ablation",
     "sparse-dllm:keep=0.5,score=random", "full", "below", 20),
    ("early steps matter: SparseD without skipping is worse", "sparsed-ablation", SPARSED + ",skip=0",
     SPARSED, "below", 0),
    ("the same at 10 % of the keys", "sparsed-ablation", STARVED + ",skip=0", STARVED, "below", 0),
    ("reusing patterns costs less than 0.5 points", "sparsed-ablation", SPARSED,
     SPARSED + ",reuse=false", "within", 0.5),
    ("isolated selection matters: a joint ranking is worse", "sparsed-ablation",
     SPARSED + ",isolated=false", SPARSED, "below", 0),
    ("the same at 10 % of the keys", "sparsed-ablation", STARVED + ",isolated=false", STARVED, "below",
     0),
    ("the released scale is within 0.5 points of attention's own", "sparsed-ablation", SPARSED,
     SPARSED + ",scale=paper", "within", 0.5),
    ("the same at 10 % of the keys", "sparsed-ablation", STARVED, STARVED + ",scale=paper", "within",
     0.5),
    ("evicting only before the block is within 1 point of both sides", "sparse-dllm-ablation",
     "sparse-dllm:prefix_only=true", "sparse-dllm:keep=0.5,kernel=3", "within", 1),
    ("building the cache at once is worse than a step later", "sparse-dllm-ablation",
     "sparse-dllm:delay=0", "sparse-dllm:keep=0.5,kernel=3", "below", 0),
    ("waiting longer gains less than 1 point", "sparse-dllm-ablation", "sparse-dllm:keep=0.5,kernel=3",
     "sparse-dllm:delay=4", "within", 1),
    ("keep 0.3 without pooling is within 1 point of keep 0.5 with it", "sparse-dllm-ablation",
     "sparse-dllm:keep=0.3,kernel=1", "sparse-dllm:keep=0.5,kernel=3", "within", 1),
    ("wide pooling hurts at keep 0.1", "sparse-dllm-ablation", "sparse-dllm:keep=0.1,kernel=5",
     "sparse-dllm:keep=0.1,kernel=1", "below", 0),
)


def chosen(methods: tuple[str, ...]) -> list[str]:
    return [option for method in methods for option in ("--method", method)]


def evaluate(arguments, name: str, options: list[str], limit: int) -> dict:
    folder = arguments.folder / name
    command = [str(arguments.program), "eval", "-m", str(arguments.model), "--limit", str(limit),
               "-o", str(folder), *options]
    if arguments.threads:
        command += ["--threads", str(arguments.threads)]
    print("running", " ".join(command), flush=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    # Shares of the work that other processes have done (`--shard`) lie in files of their own.
    lines = [line for file in sorted(folder.glob("results*.jsonl"))
             for line in file.read_text(encoding="utf-8").splitlines()[1:]]
    records = [json.loads(line) for line in lines]
    return {"summary": json.loads((folder / "summary.json").read_text(encoding="utf-8")),
            "records": [record for record in records if record["index"] < limit]}


def difference(records: list[dict], method: str, other: str) -> tuple[float, float]:
    """Points by which `method` scores better on the same examples, and their standard error, which is
    never less than the weight of one example: equal results on a few examples prove little."""
    scores: dict[str, dict] = {method: {}, other: {}}
    for record in records:
        if record["method"] in scores:
            example = (record["task"], record["length"], record["index"])
            scores[record["method"]][example] = record["score"]
    pairs = [100 * (score - scores[other][example]) for example, score in scores[method].items()]
    error = statistics.stdev(pairs) / math.sqrt(len(pairs))
    return statistics.mean(pairs), max(error, 100 / len(pairs))


def verdict(mean: float, error: float, kind: str, points: float) -> str:
    """Two standard errors decide."""
    low, high = mean - 2 * error, mean + 2 * error
    if kind == "within":
        return "yes" if low >= -points else "no" if high < -points else "open"
    return "yes" if high < -points else "no" if low >= -points else "open"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def method_table(summary: dict) -> str:
    cells = {(c["method"], c["task"], c["length"]): c["score"]["mean"] for c in summary["cells"]}
    columns = list(dict.fromkeys((c["task"], c["length"]) for c in summary["cells"]))
    rows = []
    for m in summary["methods"]:
        gap = m["difference"]
        rows.append([f"`{m['method']}`", *(f"{cells[m['method'], *column]:.3f}" for column in columns),
                     f"{m['score']:.3f}", f"{100 * gap['mean']:+.1f} ± {100 * gap['standard_error']:.1f}",
                     f"{m['planned']['density']:.2f}", f"{m['rows']:,.0f}",
                     f"{m['planned']['peak_memory_bytes'] / 2**20:.1f}"])
    header = ["method", *(f"{task} {length:,}" for task, length in columns), "mean", "difference",
              "density", "rows", "MiB"]
    return table(header, rows)


def presets_table(results: dict[str, dict]) -> str:
    """Points against exact with 95 % confidence intervals, by wording and in all."""
    records = {wording: result["records"] for wording, result in results.items()}
    every = [dict(record, task=f"{record['task']} {wording}")
             for wording, of_wording in records.items() for record in of_wording]
    tasks = list(dict.fromkeys(record["task"] for record in records["last"]))

    def mean(preset: str, key: str, task: str = "") -> float:
        return statistics.mean(record[key] for record in every
                               if record["method"] == preset and record["task"].startswith(task))

    def points(preset: str, of: list[dict]) -> str:
        gap, error = difference(of, preset, "exact")
        return f"{gap:+.1f} ± {1.96 * error:.1f}" if preset != "exact" else "0"

    rows = []
    for preset in ("exact", "balanced", "fast"):
        rows.append([f"`{preset}`", *(f"{mean(preset, 'score', task + ' '):.3f}" for task in tasks),
                     f"{mean(preset, 'score'):.3f}", points(preset, every),
                     *(points(preset, records[wording]) for wording in WORDINGS),
                     f"{mean(preset, 'forward_passes'):.1f}", f"{mean(preset, 'rows'):,.0f}",
                     f"{mean(preset, 'rows') / mean('exact', 'rows'):.3f}"])
    header = ["preset", *tasks, "mean", "points", *(f"question {wording}" for wording in WORDINGS),
              "passes", "rows", "of exact's"]
    return table(header, rows)


def frontier_table(results: dict[str, dict]) -> str:
    """What a token of an answer costs and what is lost, pooled over the wordings and by each."""
    every = [dict(record, task=f"{record['task']} {wording}")
             for wording, result in results.items() for record in result["records"]]
    memory = {m["method"]: m["planned"]["peak_memory_bytes"] for m in results["last"]["summary"]["methods"]}
    seconds = {method: {(r["task"], r["index"]): r["seconds"] for r in every if r["method"] == method}
               for method in memory}

    def points(method: str, of: list[dict]) -> str:
        gap, error = difference(of, method, "exact")
        return f"{gap:+.1f} ± {1.96 * error:.1f}" if method != "exact" else "0"

    rows = []
    for method in memory:
        own = [record for record in every if record["method"] == method]
        tokens = sum(record["answer_tokens"] for record in own)
        faster = statistics.median(seconds["exact"][example] / taken
                                   for example, taken in seconds[method].items())
        rows.append([f"`{method}`", f"{statistics.mean(record['score'] for record in own):.3f}",
                     points(method, every),
                     *(points(method, results[wording]["records"]) for wording in results),
                     f"{sum(record['rows'] for record in own) / tokens:.1f}",
                     f"{sum(record['forward_passes'] for record in own) / tokens:.2f}",
                     f"{faster:.1f}", f"{memory[method] / 2**20:.1f}"])
    header = ["method", "mean", "points", *(f"question {wording}" for wording in results), "rows a token",
              "passes a token", "times as fast", "MiB"]
    return table(header, rows)


def preset_costs_table(records: list[dict]) -> str:
    """What an answer takes, in one run."""
    rows = []
    for preset in ("exact", "balanced", "fast"):
        means = {key: {name: statistics.mean(r[key] for r in records if r["method"] == name)
                       for name in (preset, "exact")} for key in ("forward_passes", "rows", "seconds")}
        rows.append([f"`{preset}`", f"{means['forward_passes'][preset]:.1f}"])
        for key, form in (("rows", ",.0f"), ("seconds", ".2f")):
            rows[-1] += [f"{means[key][preset]:{form}}",
                         f"{means[key][preset] / means[key]['exact']:.3f}"]
    return table(["preset", "passes", "rows", "of exact's", "seconds", "of exact's"], rows)


def fidelity_table(summary: dict) -> str:
    rows = []
    for m in summary["methods"]:
        f = m["fidelity"]
        rows.append([f"`{m['method']}`", f"{m['score']:.3f}",
                     *(f"{f[key]['mean']:.3f}" for key in ("token_agreement", "step_agreement",
                                                           "output_error", "retained_mass")),
                     f"{min(f['retained_mass_of_heads']):.3f}"])
    return table(["method", "score", "equal tokens", "equal choices", "output error", "retained mass",
                  "least of a head"], rows)


def claims_table(results: dict) -> str:
    rows = []
    for text, experiment, method, other, kind, points in CLAIMS:
        mean, error = difference(results[experiment]["records"], method, other)
        rows.append([text, f"{mean:+.1f} ± {error:.1f}", verdict(mean, error, kind, points)])
    return table(["claim", "points", "holds"], rows)


def replace(document: str, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    document, count = pattern.subn(lambda match: f"{match[1]}{content}\n{match[2]}", document)
    if count != 1:
        raise SystemExit(f"write_evaluation.py: docs/evaluation.md: found {count} places for {name}")
    return document


def take_picture(report: pathlib.Path):
    browser = shutil.which("chromium")
    if browser is None:
        print("write_evaluation.py: there is no chromium, so the picture stays as it was")
        return
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                        f"--user-data-dir={profile}", "--window-size=1240,1480",
                        f"--screenshot={ROOT / 'docs' / 'images' / 'evaluation.png'}",
                        report.resolve().as_uri()], check=True, stderr=subprocess.DEVNULL)


def write_methods(arguments) -> dict[str, str]:
    results = {name: evaluate(arguments, name, ["--experiment", name], arguments.limit)
               for name in EXPERIMENTS}
    results["longer"] = evaluate(arguments, "longer", LONGER + chosen(LONGER_METHODS),
                                 arguments.longer_limit)
    limits = (f"{arguments.limit} examples of each task; {arguments.longer_limit} at 1,024 tokens, "
              f"{arguments.fidelity_limit} for the table of fidelity.")
    return {"limits": limits, "claims": claims_table(results),
            **{name: method_table(result["summary"]) for name, result in results.items()}}


def write_presets(arguments) -> dict[str, str]:
    presets = {wording: evaluate(arguments, f"presets-{wording}",
                                 ["--experiment", "presets", "--wording", wording], arguments.limit)
               for wording in WORDINGS}
    costs = evaluate(arguments, "preset-costs", ["--experiment", "presets", "--length", "1024"],
                     arguments.fidelity_limit)
    return {"presets": presets_table(presets), "preset-costs": preset_costs_table(costs["records"])}


def write_frontier(arguments) -> dict[str, str]:
    results = {wording: evaluate(arguments, f"frontier-{wording}",
                                 ["--experiment", "frontier", "--wording", wording], arguments.limit)
               for wording in WORDINGS}
    return {"frontier": frontier_table(results)}


def write_fidelity(arguments) -> dict[str, str]:
    fidelity = evaluate(arguments, "fidelity", FIDELITY + chosen(FIDELITY_METHODS),
                        arguments.fidelity_limit)
    return {"fidelity": fidelity_table(fidelity["summary"])}


WRITERS = {"methods": write_methods, "presets": write_presets, "frontier": write_frontier,
           "fidelity": write_fidelity}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build" / "release" / "unmask")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models" / "demo")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build" / "evaluation")
    parser.add_argument("--limit", type=int, default=200, help="examples of each task and length")
    parser.add_argument("--longer-limit", type=int, default=100, help="of the table of 1,024 tokens")
    parser.add_argument("--fidelity-limit", type=int, default=10,
                        help="of the tables of fidelity and of what presets cost")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--only", action="append", choices=WRITERS, help="this part alone, repeatable")
    arguments = parser.parse_args()
    path = ROOT / "docs" / "evaluation.md"
    document = path.read_text(encoding="utf-8")
    for name in arguments.only or WRITERS:
        for mark, content in WRITERS[name](arguments).items():
            document = replace(document, mark, content)
    path.write_text(document, encoding="utf-8")
    if not arguments.only:
        take_picture(arguments.folder / "compare" / "report.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
