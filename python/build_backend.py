"""Builds the wheel (PEP 517) with CMake and the standard library alone, so that `pip install ./python`
needs no network: other backends would have to be downloaded into pip's isolated environment."""

import base64
import hashlib
import os
import pathlib
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
DEPENDENCIES = ["numpy>=1.21"]  # as in pyproject.toml
EXTRAS = {"plot": "matplotlib", "eval": "lm-eval"}


def library_folder():
    """Where unmaskConfig.cmake lies; None: where CMake looks by itself."""
    if "UNMASK_DIR" in os.environ:
        return os.environ["UNMASK_DIR"]
    build = HERE.parent / "build" / "release"
    return str(build) if (build / "unmaskConfig.cmake").is_file() else None


def run(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        print(result.stdout, file=sys.stderr)
        sys.exit("unmask: the module cannot be compiled, see above. It takes the library (./dev build, or "
                 "the package libunmask-dev) and the packages g++, cmake, pybind11-dev and python3-dev.")


def compile_module(folder):
    options = [f"-DPython_EXECUTABLE={sys.executable}", "-DCMAKE_BUILD_TYPE=Release"]
    if library_folder():
        options.append(f"-Dunmask_DIR={library_folder()}")
    run("cmake", "-S", str(HERE), "-B", folder, *options)
    run("cmake", "--build", folder)
    return pathlib.Path(folder, "python", "unmask")


def version():
    header = (HERE.parent / "include" / "unmask" / "version.h").read_text(encoding="utf-8")
    return header.split('UNMASK_VERSION "')[1].split('"')[0]


def metadata():
    lines = ["Metadata-Version: 2.1", "Name: unmask", f"Version: {version()}",
             "Summary: Diffusion language models on your own machine", "License: Apache-2.0",
             "Requires-Python: >=3.9"]
    lines += [f"Requires-Dist: {name}" for name in DEPENDENCIES]
    for extra, name in EXTRAS.items():
        lines += [f"Provides-Extra: {extra}", f'Requires-Dist: {name} ; extra == "{extra}"']
    return "\n".join(lines) + "\n\n" + (HERE / "README.md").read_text(encoding="utf-8")


def tag():
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return f"{python}-{python}-{platform}"


def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """The hook of PEP 517; returns the name of the wheel."""
    name = f"unmask-{version()}-{tag()}.whl"
    info = f"unmask-{version()}.dist-info"
    with tempfile.TemporaryDirectory() as folder:
        files = {f"unmask/{file.name}": file.read_bytes()
                 for file in sorted(compile_module(folder).iterdir()) if file.is_file()}
    files[f"{info}/METADATA"] = metadata().encode()
    files[f"{info}/WHEEL"] = (f"Wheel-Version: 1.0\nGenerator: unmask\nRoot-Is-Purelib: false\n"
                              f"Tag: {tag()}\n").encode()
    record = "".join(f"{file},sha256={digest(data)},{len(data)}\n" for file, data in files.items())
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    with zipfile.ZipFile(pathlib.Path(wheel_directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for file, data in files.items():
            wheel.writestr(file, data)
    return name
