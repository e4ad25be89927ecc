#!/usr/bin/env python3
"""What a build is made of besides its own code: bill_of_materials.py BUILD VERSION FOLDER FILE...

Writes unmask.spdx.json (SPDX 2.3) and THIRD-PARTY-NOTICES into FOLDER. Packages of Debian whose headers
were compiled into the given programs and libraries come from what Ninja noted of each object, those that
are linked from the loader; their versions and notices are dpkg's. Licences are not guessed: SPDX gets
NOASSERTION, and the notices are the texts that Debian ships."""

import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid

# Of the compiler and the C library only headers of declarations: nothing of them ends up in an object.
DECLARATIONS = {"libc6-dev", "linux-libc-dev"}


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def compiled_headers(build: str) -> set[str]:
    """Headers of the system that objects of src/ and python/ were compiled from."""
    headers = set()
    ours = False
    for line in run("ninja", "-C", build, "-t", "deps").splitlines():
        if line and not line.startswith(" "):
            ours = line.startswith(("src/", "python/"))
        elif ours and line.strip().startswith("/usr/"):
            headers.add(os.path.realpath(line.strip()))
    return headers


def linked_libraries(files: list[str]) -> set[str]:
    """Libraries that the loader finds for programs and libraries, and for those in turn."""
    found = {path for file in files for path in re.findall(r"(?:=> |^\t)(/\S+)", run("ldd", file), re.MULTILINE)}
    return {os.path.realpath(path) for path in found}


def packages_of(paths: set[str]) -> set[str]:
    """Names of the packages that own files. /lib and /usr/lib are one place, dpkg knows files by either."""
    either = sorted(paths | {path.removeprefix("/usr") for path in paths if path.startswith("/usr/lib")})
    found = subprocess.run(["dpkg", "-S", *either], check=False, capture_output=True, text=True).stdout
    return {owner.split(":")[0] for line in found.splitlines() for owner in line.split(": /")[0].split(", ")}


def described(package: str) -> dict:
    """A package as SPDX has it."""
    version, architecture = run("dpkg-query", "-W", "-f=${Version} ${Architecture}\n", package).split()[:2]
    return {
        "SPDXID": f"SPDXRef-{package.replace('+', '-plus-')}",
        "name": package,
        "versionInfo": version,
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "comment": "licence and copyright: see THIRD-PARTY-NOTICES",
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
            "referenceLocator": f"pkg:deb/debian/{package}@{version}?arch={architecture}".replace("+", "%2B")}],
    }


def file_entry(path: str) -> dict:
    data = pathlib.Path(path).read_bytes()
    name = os.path.basename(path)
    return {
        "SPDXID": f"SPDXRef-File-{re.sub('[^A-Za-z0-9.-]', '-', name)}",
        "fileName": f"./{name}",
        "checksums": [{"algorithm": kind.upper(), "checksumValue": hashlib.new(kind, data).hexdigest()}
                      for kind in ("sha1", "sha256")],
        "licenseConcluded": "Apache-2.0", "copyrightText": "NOASSERTION",
    }


def document(version: str, files: list[str], compiled: set[str], linked: set[str]) -> dict:
    """Files as they were built, before debug symbols and the like are stripped from them."""
    entries = [file_entry(path) for path in files]
    digest = "".join(entry["checksums"][1]["checksumValue"] for entry in entries)
    when = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    ours = {"SPDXID": "SPDXRef-unmask", "name": "unmask", "versionInfo": version, "supplier": "NOASSERTION",
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "Apache-2.0",
            "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION"}
    theirs = {name: described(name) for name in sorted(compiled | linked)}
    related = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-unmask")]
    related += [("SPDXRef-unmask", "CONTAINS", entry["SPDXID"]) for entry in entries]
    related += [(theirs[name]["SPDXID"], "BUILD_DEPENDENCY_OF", "SPDXRef-unmask") for name in sorted(compiled)]
    related += [("SPDXRef-unmask", "DYNAMIC_LINK", theirs[name]["SPDXID"]) for name in sorted(linked)]
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"unmask-{version}",
        "documentNamespace": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "creationInfo": {"created": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": ["Tool: bill_of_materials.py"]},
        "packages": [ours, *theirs.values()], "files": entries,
        "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b}
                          for a, kind, b in related],
    }


def notices(compiled: set[str], linked: set[str]) -> str:
    """Debian's copyright files, each text once."""
    texts: dict[str, list[str]] = {}
    for name in sorted(compiled | linked):
        text = pathlib.Path("/usr/share/doc", name, "copyright").read_text(encoding="utf-8", errors="replace")
        texts.setdefault(text, []).append(name)
    head = ("unmask is licensed under the Apache License 2.0 (LICENSE). It contains or is linked to parts of\n"
            "the Debian packages below, whose notices follow; sources of each are Debian's source package of\n"
            "the version that unmask.spdx.json names.\n")
    line = "\n" + "=" * 100 + "\n"
    return head + "".join(f"{line}{', '.join(names)}{line}\n{text}" for text, names in texts.items())


def main() -> int:
    build, version, folder, *files = sys.argv[1:]
    compiled = packages_of(compiled_headers(build)) - DECLARATIONS
    linked = packages_of(linked_libraries(files))
    if not compiled or not linked:
        print(f"bill of materials: found {len(compiled)} packages compiled into {build} and {len(linked)} linked; "
              "expected some of each, in a folder that Ninja built on Debian", file=sys.stderr)
        return 1
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    (out / "unmask.spdx.json").write_text(
        json.dumps(document(version, files, compiled, linked), indent=1) + "\n", encoding="utf-8")
    (out / "THIRD-PARTY-NOTICES").write_text(notices(compiled, linked), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
