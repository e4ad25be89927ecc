#!/usr/bin/env python3
"""Checks and times the CUDA backend on a machine with a GPU, in one go and under ten minutes.

    tools/gpu_check.py [--out FOLDER] [-- ARGUMENT...]   build what is missing, run, print one table
    tools/gpu_check.py pack FOLDER                       what the run needs, for a machine where
                                                         nothing can be built; run FOLDER/gpu_check.py

First the kernels alone (program gpu_kernel_check), then the engine (gpu_check, which takes the
ARGUMENTs, see its --help). Findings go to FOLDER as JSON, a file a program, and what is aimed at stands
beside them in targets.json (gpu_targets.py).
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

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


def pack(folder: pathlib.Path):
    build()
    (folder / "bin").mkdir(parents=True)
    files = [BUILD / name for name in [*PROGRAMS, "libunmask_cuda.so"]]
    needed = set().union(*(libraries(f) for f in files))
    for file in [*files, *sorted(needed)]:
        shutil.copy(file, folder / "bin" / file.name)
    for part in ("checkpoints", "generate"):
        shutil.copytree(ROOT / "tests" / "golden" / part, folder / "golden" / part,
                        ignore=shutil.ignore_patterns("tensors.safetensors"))
    for script in (__file__, gpu_targets.__file__):
        shutil.copy(script, folder / pathlib.Path(script).name)
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    print(f"{folder}: {size / 2**20:.0f} MiB")


def cuda_libraries() -> list[str]:
    """Folders where the toolkit's libraries may lie when the system's linker does not know it."""
    roots = [os.environ.get("CUDA_PATH", ""), "/usr/local/cuda", *map(str, sorted(
        pathlib.Path("/usr/local").glob("cuda-13*")))]
    folders = [f"{root}/lib64" for root in roots if root]
    for path in sys.path:  # as Python's packages of CUDA have it
        folders += map(str, pathlib.Path(path or ".").glob("nvidia/*/lib"))
    return [f for f in folders if any((pathlib.Path(f) / name).exists() for name in CUDA)]


def run(out: pathlib.Path, arguments: list[str]) -> int:
    if not PACKED:
        build()
    environment = dict(os.environ)
    known = [str(BUILD), *cuda_libraries(), environment.get("LD_LIBRARY_PATH", "")]
    environment["LD_LIBRARY_PATH"] = ":".join(filter(None, known))
    out.mkdir(parents=True, exist_ok=True)
    status = 0
    for program, own in zip(PROGRAMS, ([], ["--golden", GOLDEN, *arguments])):
        command = [BUILD / program, "--json", out / f"{program}.json", *own]
        status |= subprocess.run(command, env=environment, check=False).returncode
    gpu_targets.report(out)
    return 1 if status else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("verb", nargs="?", choices=["run", "pack"], default="run")
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    given = sys.argv[1:]
    cut = given.index("--") if "--" in given else len(given)
    options = parser.parse_args(given[:cut])
    if options.verb == "pack":
        if options.folder is None:
            parser.error("pack needs a folder")
        pack(options.folder)
        return 0
    return run(options.out, given[cut + 1:])


if __name__ == "__main__":
    sys.exit(main())
