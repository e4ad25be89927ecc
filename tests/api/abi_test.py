#!/usr/bin/env python3
"""The binary interface against its description: abi_test.py DESCRIPTION LIBRARY DESCRIBED [--write]

LIBRARY is libunmask.so; DESCRIBED the same interface compiled with debug information, from which libabigail
reads it. Of that the description keeps what programs are compiled against, a line each: functions with their
types, and sizes, members and values of the types in the headers. --write writes it anew."""

import difflib
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as xml

# Aliases in the place of what the compiler's library calls its templates.
STRING = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"
SHORTER = ((STRING, "std::string"), ("std::basic_string_view<char, std::char_traits<char> >", "std::string_view"),
           ("18446744073709551615", "any"))
CHANGED = """
The binary interface of libunmask is not what {description} says, see above. If that is wanted, write it anew:
  {command} --write
Programs that were linked before run with this library only if lines were merely added behind all that were
there: else the soname must change, with the minor number in include/unmask/version.h."""


class Interface:
    """What a library shows, from the XML of abidw."""

    def __init__(self, library: str) -> None:
        text = subprocess.run(["abidw", "--exported-interfaces-only", library], check=True, capture_output=True,
                              text=True).stdout
        self.types: dict[str, tuple[str, xml.Element]] = {}  # by id: the scope with "::", the element
        self.functions: dict[str, xml.Element] = {}
        self._collect(xml.fromstring(text), "")

    def _collect(self, parent: xml.Element, scope: str) -> None:
        for element in parent:
            if "id" in element.attrib and element.get("is-declaration-only") != "yes":
                self.types[element.attrib["id"]] = (scope, element)
            elif "id" in element.attrib:
                self.types.setdefault(element.attrib["id"], (scope, element))
            if element.tag == "function-decl" and "elf-symbol-id" in element.attrib:
                self.functions[element.attrib["elf-symbol-id"]] = element
            inner = element.tag in ("namespace-decl", "class-decl")
            self._collect(element, f"{scope}{element.attrib['name']}::" if inner else scope)

    def name(self, type_id: str) -> str:
        if type_id not in self.types:
            return "void"
        scope, element = self.types[type_id]
        of = element.get("type-id", "")
        if element.tag == "pointer-type-def":
            return self.name(of) + "*"
        if element.tag == "reference-type-def":
            return self.name(of) + ("&" if element.get("kind") == "lvalue" else "&&")
        if element.tag == "qualified-type-def":
            return f"{self.name(of)} const" if element.get("const") == "yes" else self.name(of)
        if element.tag == "function-type":
            return self.signature(element)
        found = scope + element.get("name", "?")
        for long, short in SHORTER:
            found = found.replace(long, short)
        return found

    def signature(self, function: xml.Element) -> str:
        parameters = [self.name(p.attrib["type-id"]) for p in function.findall("parameter")]
        returned = function.find("return")
        return f"({', '.join(parameters)}) -> {self.name(returned.attrib['type-id']) if returned is not None else 'void'}"

    def lines(self) -> list[str]:
        shown = [f"{symbol} {self.signature(element)}" for symbol, element in sorted(self.functions.items())]
        public = {self.name(key): element for key, (_, element) in self.types.items()
                  if (element.tag == "enum-decl" or element.tag == "class-decl" and "size-in-bits" in element.attrib)
                  and "/include/unmask/" in element.get("filepath", "")}
        for name, element in sorted(public.items()):
            shown.append(name + (f" {bytes_of(element, 'size-in-bits')} bytes" if element.tag == "class-decl" else ""))
            shown += [f"  {value.attrib['value']} {value.attrib['name']}" for value in element.findall("enumerator")]
            for member in element.findall("data-member[@layout-offset-in-bits]"):
                variable = member.find("var-decl")
                shown.append(f"  {bytes_of(member, 'layout-offset-in-bits')} {variable.attrib['name']}: "
                             f"{self.name(variable.attrib['type-id'])}")
        return shown


def bytes_of(element: xml.Element, attribute: str) -> int:
    return int(element.attrib[attribute]) // 8


def exported(library: str) -> set[str]:
    shown = subprocess.run(["nm", "--dynamic", "--defined-only", library], check=True, capture_output=True,
                           text=True).stdout
    return {line.split()[-1] for line in shown.splitlines()}


def main() -> int:
    description, library, described = sys.argv[1:4]
    found = Interface(described).lines()
    if "--write" in sys.argv[4:]:
        pathlib.Path(description).write_text("\n".join(found) + "\n", encoding="utf-8")
        return 0
    stored = pathlib.Path(description).read_text(encoding="utf-8").splitlines()
    differences = list(difflib.unified_diff(stored, found, "described", "found", lineterm="", n=1))
    # A symbol that comes out of one build alone would be a mistake of exports.map.
    differences += sorted(exported(library) ^ exported(described))
    if differences:
        print("\n".join(differences), CHANGED.format(description=description, command=" ".join(["python3", *sys.argv])), sep="\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
