#!/usr/bin/env python3
"""Checks and times the CUDA backend on a machine with a GPU, in one go: about nine minutes, estimated.

    tools/gpu_check.py [--out FOLDER] [--only PART...]   build what is missing, run, print one table
    tools/gpu_check.py pack FILE.tar.xz                  what the run needs, for a machine where
                                                         nothing can be built: unpack it there and
                                                         run gpu_check/gpu_check.py

The parts, each a process with a time of its own: the kernels alone (program gpu_kernel_check), then by
gpu_check the backend's functions, the recorded generations, the steps of two models, and a real run of
16 steps. Findings go to FOLDER as JSON, a file a part, written one by one; what is aimed at stands beside
them in targets.json (gpu_targets.py).
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
from typing import NamedTuple

import gpu_targets

HERE = pathlib.Path(__file__).resolve().parent
PACKED = (HERE / "bin" / "gpu_check").is_file()
ROOT = HERE if PACKED else HERE.parent
BUILD = ROOT / "bin" if PACKED else ROOT / "build" / "release"
GOLDEN = ROOT / "golden" if PACKED else ROOT / "tests" / "golden"
PROGRAMS = ["gpu_kernel_check", "gpu_check"]
# Tied to the system's kernel or driver.
SYSTEM = re.compile(r"^(ld-linux|linux-vdso|libc|libm|libdl|libpthread|librt|libcuda)[.-]")
CUDA = ("libcublasLt.so.13", "libcublas.so.13", "libcudnn.so.9")


def build():
    subprocess.run(["cmake", "--preset", "release", "-DUNMASK_CUDA=ON"], cwd=ROOT, check=True)
    subprocess.run(["cmake", "--build", "--preset", "release", "--target", *PROGRAMS,
                    "unmask_cuda"], cwd=ROOT, check=True)


def libraries(program: pathlib.Path) -> set[pathlib.Path]:
    """What the program loads, without what the system and CUDA's toolkit bring."""
    listing = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    paths = (pathlib.Path(path) for path in re.findall(r"=> (/\S+)", listing))
    return {p for p in paths if not SYSTEM.match(p.name) and p.name not in CUDA}


def pack(file: pathlib.Path):
    build()
    programs = [BUILD / name for name in [*PROGRAMS, "libunmask_cuda.so"]]
    needed = set().union(*(libraries(p) for p in programs))
    with tarfile.open(file, "w:xz") as archive:
        for path in [*programs, *sorted(needed)]:
            archive.add(path.resolve(), f"gpu_check/bin/{path.name}")
        for script in (__file__, gpu_targets.__file__):
            archive.add(script, f"gpu_check/{pathlib.Path(script).name}")
        for folder in ("checkpoints", "generate"):
            archive.add(GOLDEN / folder, f"gpu_check/golden/{folder}", filter=lambda entry: (
                None if entry.name.endswith("/tensors.safetensors") else entry))
    print(f"{file}: {file.stat().st_size / 2**20:.0f} MiB")


def cuda_libraries() -> list[str]:
    """Folders where the toolkit's libraries may lie when the system's linker does not know it."""
    roots = [os.environ.get("CUDA_PATH", ""), "/usr/local/cuda", *map(str, sorted(
        pathlib.Path("/usr/local").glob("cuda-13*")))]
    folders = [f"{root}/lib64" for root in roots if root]
    for path in sys.path:  # as Python's packages of CUDA have it
        folders += map(str, pathlib.Path(path or ".").glob("nvidia/*/lib"))
    return [f for f in folders if any((pathlib.Path(f) / name).exists() for name in CUDA)]


class Part(NamedTuple):
    name: str
    program: str
    arguments: list[str]
    seconds: int  # it may take, about twice what it should


def steps(shape: str) -> list[str]:
    return ["--parts", "steps", "--shapes", shape]


# The real run is last: it takes longest, and tells least that is new.
PARTS = [
    Part("kernels", "gpu_kernel_check", [], 150),
    Part("functions", "gpu_check", ["--parts", "functions"], 120),
    Part("golden", "gpu_check", ["--parts", "golden", "--golden", str(GOLDEN)], 90),
    Part("llada-8b", "gpu_check", steps("llada-8b"), 270),
    Part("dream-7b", "gpu_check", steps("dream-7b"), 240),
    Part("real", "gpu_check", ["--parts", "real", "--shapes", "llada-8b"], 360),
]


def run_part(part: Part, out: pathlib.Path, environment: dict[str, str]) -> bool:
    findings = out / f"findings-{part.name}.json"
    findings.unlink(missing_ok=True)  # of another run
    command = [BUILD / part.program, "--json", findings, *part.arguments]
    try:
        status = subprocess.run(command, env=environment, check=False, timeout=part.seconds)
    except subprocess.TimeoutExpired:
        print(f"{part.name}: not done after {part.seconds} s", flush=True)
        return False
    return status.returncode == 0


def run(out: pathlib.Path, only: list[str]) -> int:
    if not PACKED:
        build()
    environment = dict(os.environ)
    known = [str(BUILD), *cuda_libraries(), environment.get("LD_LIBRARY_PATH", "")]
    environment["LD_LIBRARY_PATH"] = ":".join(filter(None, known))
    out.mkdir(parents=True, exist_ok=True)
    passed = [run_part(part, out, environment) for part in PARTS if part.name in only]
    gpu_targets.report(out)
    return 0 if all(passed) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [part.name for part in PARTS]
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PART",
                        help=", ".join(names))
    parser.add_argument("verb", nargs="?", choices=["run", "pack"], default="run")
    parser.add_argument("file", nargs="?", type=pathlib.Path)
    options = parser.parse_args()
    if options.verb == "run":
        return run(options.out, options.only)
    if options.file is None:
        parser.error("pack needs the name of a file")
    pack(options.file)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # what was found is written
