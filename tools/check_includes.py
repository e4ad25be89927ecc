#!/usr/bin/env python3
"""Checks the direction of #include lines between the folders of src/.

    core < ranks < io, kernels < constrain, model < methods, sampling < generate < session < eval, bench < api, serve < apps

and inside src/apps, terminal < draw, options < reports < commands. A folder may include itself and
what stands to its left; folders between two commas do not see each other. The headers of
include/unmask, which programs see, include each other alone, and of src/ only api sees them. In src/kernels/cpu and
src/kernels/cuda groups of files stand for folders, see GROUPS. Kernels are reached
through their interface only, and methods see of the model only model/method.h. tests/ and tools/
may include any folder, but kernel internals only in tests/kernels and in tools/gpu_check, which
runs cases of those tests on a device. Files that are compiled for an instruction set include no
library of C++, whose inline functions could be the copies that the linker keeps for everyone.
"""

import pathlib
import re
import sys

LEVELS = [["core"], ["ranks"], ["io", "kernels"], ["constrain", "model"], ["methods", "sampling"],
          ["generate"], ["session"], ["eval", "bench"], ["api", "serve"], ["apps"]]
INNER_LEVELS = {"apps": [["terminal"], ["draw", "options"], ["reports"], ["commands"]]}

# From the ground up, as folders: names are folders, files or files without their ending.
GROUPS = {
    "kernels/cpu": {
        "ground": ["block_layout", "reserve", "table"],
        "parts": ["attention", "block_packing", "column_gather", "each_row", "experts", "input_rows", "packed_products", "panels", "products",
                  "variants", "split", "split_products", "weight_layout"],
        "backend": ["backend"],
        "instruction sets": ["arm64", "portable", "x86"],
    },
    "kernels/cuda": {
        "ground": ["check", "instructions", "instructions_sm90", "launch", "matrix_descriptor",
                   "plugin.h", "query_tiles", "types"],
        "kernels": ["attention", "experts", "flash", "flash_mma", "flash_sm90", "grouped", "route",
                    "scores", "scores_mma", "scores_sm90", "select", "selection", "softmax",
                    "tensor_box", "tensor_map", "tile_mma", "tiles_sm90"],
        "work": ["cell_work", "launches", "reveal_work", "row_work", "tensor_view", "work"],
        "device": ["cudnn_attention", "cudnn_library", "device", "device_gather", "device_ranks", "index_lists",
                   "library_attention", "nccl_library", "nccl_ranks", "products", "transfer", "weights"],
        "host": ["attention_tasks", "backend", "choices", "device_series", "expert_tasks"],
        "border": ["load", "plugin.cc"],
    },
}
PUBLIC = "unmask/"  # headers of include/
SEES_PUBLIC = ("include/", "src/api/", "tests/api/", "fuzz/")
WITHOUT_LIBRARY = ("src/kernels/cpu/portable/", "src/kernels/cpu/arm64/", "src/kernels/cpu/x86/")
SEEN_WITHOUT_LIBRARY = {"kernels/cpu/table.h", "stdint.h", "arm_neon.h", "immintrin.h"}
COMPILED_FOR_ALL = "/variants.cc"  # beside them, for every processor of the kind


def levels_of(levels: list[list[str]]) -> dict[str, int]:
    return {name: level for level, names in enumerate(levels) for name in names}


LEVEL_OF = levels_of(LEVELS)
INNER_LEVEL_OF = {area: levels_of(levels) for area, levels in INNER_LEVELS.items()}
GROUP_OF = {folder: {name: (level, group) for level, (group, names) in enumerate(groups.items())
                     for name in names}
            for folder, groups in GROUPS.items()}
KERNEL_INTERFACE = {"kernels/backend.h", "kernels/backend_wrapper.h", "kernels/block_pattern.h",
                    "kernels/counting/backend.h", "kernels/create_backend.h",
                    "kernels/metered/backend.h", "kernels/panels.h", "kernels/ranks/follower.h",
                    "kernels/ranks/leader.h", "kernels/ranks/row_split.h", "kernels/rotation.h", "kernels/select.h",
                    "kernels/split.h"}
SEEN_BY_METHODS = {"kernels/backend.h", "kernels/block_pattern.h", "kernels/select.h",
                   "model/method.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = {".h", ".cc", ".inc", ".cu"}


def objection(source: str, target: str) -> str | None:
    """Why `source` (path from the root) may not include `target` (path below src/), if so."""
    area, layer = source.split("/")[:2]
    wanted = target.split("/")[0]
    at_home = source.startswith(("src/kernels/", "tests/kernels/", "tools/gpu_check/"))
    if wanted == "kernels" and not at_home and target not in KERNEL_INTERFACE:
        return f"only {' and '.join(sorted(KERNEL_INTERFACE))} may be included from outside"
    if area != "src":
        return None
    if layer == wanted:
        return inner_objection(source, target)
    if layer == "methods" and wanted != "core" and target not in SEEN_BY_METHODS:
        return f"methods see only core and {' and '.join(sorted(SEEN_BY_METHODS))}"
    for name in (layer, wanted):
        if name not in LEVEL_OF:
            return f"'{name}' is not a layer that tools/check_includes.py knows"
    if LEVEL_OF[wanted] >= LEVEL_OF[layer]:
        return f"{layer} may not include {wanted}"
    return None


def inner_objection(source: str, target: str) -> str | None:
    """The same between two files of one layer, where its folders have an order."""
    layer = target.split("/")[0]
    if layer == "kernels":
        return group_objection(source, target)
    if layer not in INNER_LEVEL_OF or source.count("/") < 3:
        return None  # files beside the folders, as main.cc, see all of them
    folders = source.split("/")[2], target.split("/")[1]
    for name in folders:
        if name not in INNER_LEVEL_OF[layer]:
            return f"'{layer}/{name}' is not a folder that tools/check_includes.py knows"
    own, other = (INNER_LEVEL_OF[layer][name] for name in folders)
    if folders[0] != folders[1] and other >= own:
        return f"{layer}/{folders[0]} may not include {layer}/{folders[1]}"
    return None


def group_objection(source: str, target: str) -> str | None:
    """The same between two files of one folder of kernels, where its files have an order."""
    folder = "/".join(target.split("/")[:2])
    if folder not in GROUP_OF or not source.startswith(f"src/{folder}/"):
        return None
    places = []
    for name in (source.split("/")[3], target.split("/")[2]):
        place = GROUP_OF[folder].get(name) or GROUP_OF[folder].get(name.split(".")[0])
        if place is None:
            return f"'{folder}/{name}' is not a file that tools/check_includes.py knows"
        places.append(place)
    (own, own_group), (other, other_group) = places
    if other > own:
        return f"{own_group} of {folder} may not include {other_group}"
    return None


def library_objection(source: str, target: str) -> str | None:
    own = source.startswith(WITHOUT_LIBRARY) and not source.endswith(COMPILED_FOR_ALL)
    if not own or target in SEEN_WITHOUT_LIBRARY:
        return None
    if f"src/{target}".startswith((source.rsplit("/", 1)[0], WITHOUT_LIBRARY[0])):
        return None
    return f"kernels of an instruction set see only {', '.join(sorted(SEEN_WITHOUT_LIBRARY))}"


def check_line(root: pathlib.Path, source: str, quote: str, target: str) -> str | None:
    if ".." in target.split("/"):
        return "relative include, expected a path below src/"
    if reason := library_objection(source, target):
        return reason
    if (root / "include" / target).is_file():
        return None if source.startswith(SEES_PUBLIC) else f"only {', '.join(SEES_PUBLIC)} see it"
    if source.startswith("include/"):
        return None if quote == "<" else f"public headers see {PUBLIC} and the standard library"
    if (root / "src" / target).is_file():
        return objection(source, target)
    if quote == "<":
        return None
    # Tests of the tools see the tools' headers, too, and the check of a device the cases of tests.
    both = source.startswith(("tests/tools/", "tools/gpu_check/"))
    folders = ["tests", "tools"] if both else [source.split("/")[0]]
    if any((root / folder / target).is_file() for folder in folders):
        return None
    return "no such file below src/ or this folder"


def check(root: pathlib.Path) -> list[str]:
    """All violations below `root`, as lines of path:line: include: reason."""
    found = []
    files = [f for area in ("include", "src", "tests", "tools") for f in (root / area).rglob("*")]
    for file in sorted(f for f in files if f.suffix in SOURCES):
        source = file.relative_to(root).as_posix()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if match := INCLUDE.match(line):
                if reason := check_line(root, source, *match.groups()):
                    found.append(f"{source}:{number}: {match[2]}: {reason}")
    return found


if __name__ == "__main__":
    violations = check(pathlib.Path(__file__).resolve().parent.parent)
    print("\n".join(violations) or "include direction: nothing to complain about")
    sys.exit(1 if violations else 0)
