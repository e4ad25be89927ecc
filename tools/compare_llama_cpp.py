#!/usr/bin/env python3
"""A denoising step beside llama.cpp on the same machine: compare_llama_cpp.py LLAMA_BENCH.

LLAMA_BENCH is the `llama-bench` of a llama.cpp build. Two things are compared, for a layer of LLaDA-8B's shape:

* full: one pass over N tokens, in llama.cpp over the same weights as a model of its `llada` architecture;
* decode: one cached step of a block over 1,024 kept tokens, against one token that llama.cpp decodes after 1,024
  with a Llama of the same shape. Their ratio is the break-even: how many tokens a step must decide to be as fast.

Programs take turns, each measurement is made with two numbers of layers, and the difference is what a layer takes:
embedding, head and start fall out. Weights are random; the files (3 GB a type) are made once, in --work.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS = (1, 3)
KEPT = 1024
TYPES = {"q8_0": "int8", "q4_0": "int4"}  # of llama.cpp, and what is compared with it


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("llama_bench", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/peers", help="folder for the models")
    parser.add_argument("--types", nargs="+", choices=TYPES, default=["q4_0"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    parser.add_argument("--contexts", type=int, nargs="*", default=[512, 2048], help="tokens of full passes")
    parser.add_argument("--blocks", type=int, nargs="*", default=[8, 16, 32], help="rows of cached steps")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    parser.add_argument("--isa", help="instruction set of unmask (UNMASK_ISA); build llama.cpp to match")
    return parser.parse_args()


def output(command: list, **environment: str) -> str:
    result = subprocess.run([str(word) for word in command], env={**os.environ, **environment},
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        sys.exit(f"{command[0]} ended with {result.returncode}:\n{result.stderr[-2000:]}")
    return result.stdout


def decoder_head(head: bytes) -> bytes:
    """The metadata of a diffusion model as that of a decoder; both names have five letters, so nothing moves."""
    head = head.replace(b"llada", b"llama")
    key = b"llama.attention.causal"
    flag = head.index(key) + len(key) + 4  # behind the key is its type
    return head[:flag] + b"\1" + head[flag + 1:]


def models(options: argparse.Namespace, layers: int, kind: str) -> tuple[pathlib.Path, pathlib.Path]:
    """Files of the diffusion model and of the decoder of its shape."""
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    diffusion, decoder = (work / f"{name}-{layers}-{kind}.gguf" for name in ("diffusion", "decoder"))
    if not decoder.exists():
        checkpoint = work / f"checkpoint-{layers}"
        output([options.build / "random_checkpoint", "--shape", "llada-8b", "--layers", layers,
                "--tokenizer", ROOT / "models/demo", checkpoint])
        output([options.build / "unmask", "convert", "-m", checkpoint, "--to", "gguf", "--dtype", kind, "-o", diffusion])
        shutil.rmtree(checkpoint)
        made = decoder.with_suffix(".part")
        shutil.copyfile(diffusion, made)
        with made.open("r+b") as file:
            head = file.read(1 << 24)
            head = decoder_head(head[:head.index(b"token_embd.weight")])
            file.seek(0)
            file.write(head)
        made.rename(decoder)
    return diffusion, decoder


def llama(options: argparse.Namespace, model: pathlib.Path, threads: int, *what: object) -> float:
    """Seconds of a test, a token of a decoding one."""
    report = json.loads(output([options.llama_bench, "-m", model, "-t", threads, "-r", 1, "-o", "json", *what]))[-1]
    return report["avg_ns"] / 1e9 / max(report["n_gen"], 1)


def unmask(options: argparse.Namespace, layers: int, dtype: str, threads: int, rows: int, *what: object) -> float:
    """Median seconds of a step of so many rows."""
    environment = {"UNMASK_ISA": options.isa} if options.isa else {}
    report = json.loads(output([options.build / "unmask", "bench", "--json", "--threads", threads, "--dtype", dtype,
                                "--shape", f"llada-8b,layers={layers},vocab=2048", *what], **environment))
    kinds = report["models"][0]["generations"][0]["kinds_of_steps"]
    return next(kind["median_seconds"] for kind in kinds if kind["rows"] == rows)


def measurements(options: argparse.Namespace, kind: str, threads: int):
    """(name, seconds with so many layers) of each measurement of both programs."""
    dtype = TYPES[kind]
    files = {layers: models(options, layers, kind) for layers in LAYERS}
    yield "token", lambda n: llama(options, files[n][1], threads, "-p", 0, "-n", 24, "-d", KEPT)
    for block in options.blocks:
        yield f"block {block}", lambda n, block=block: unmask(
            options, n, dtype, threads, block, "--method", "fast-dllm:cache=dual", "--context", KEPT + block,
            "-n", block, "--block-length", block, "--steps", block, "--measured-steps", min(block, 16))
    for context in options.contexts:
        yield f"theirs {context}", lambda n, context=context: llama(
            options, files[n][0], threads, "-p", context, "-n", 0, "-b", context, "-ub", context)
        yield f"ours {context}", lambda n, context=context: unmask(
            options, n, dtype, threads, context, "--method", "full", "--context", context, "-n", 32, "--steps", 32,
            "--measured-steps", 2)


def layer_seconds(options: argparse.Namespace, kind: str, threads: int) -> dict[str, float]:
    best: dict[tuple[str, int], float] = {}
    for _ in range(options.rounds):
        for name, measure in measurements(options, kind, threads):
            for layers in LAYERS:
                best[name, layers] = min(best.get((name, layers), 1e9), measure(layers))
    few, many = LAYERS
    return {name: (best[name, many] - best[name, few]) / (many - few) for name, _ in best}


def main() -> None:
    options = arguments()
    print("| types | threads | what | llama.cpp, ms a layer | unmask, ms a layer | |\n|---|---|---|---|---|---|")
    for kind in options.types:
        for threads in options.threads:
            took = layer_seconds(options, kind, threads)
            begin = f"| {TYPES[kind]} / {kind} | {threads} |"
            for block in options.blocks:
                ours, theirs = took[f"block {block}"], took["token"]
                print(f"{begin} step of {block} rows, a token | {theirs * 1e3:.2f} | {ours * 1e3:.2f} "
                      f"| break-even at {ours / theirs:.2f} tokens a step |", flush=True)
            for context in options.contexts:
                ours, theirs = took[f"ours {context}"], took[f"theirs {context}"]
                print(f"{begin} pass over {context} | {theirs * 1e3:.1f} | {ours * 1e3:.1f} | {theirs / ours:.2f}x |",
                      flush=True)


if __name__ == "__main__":
    main()
