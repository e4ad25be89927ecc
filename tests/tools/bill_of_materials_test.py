"""tools/package/bill_of_materials.py finds who owns files, and writes a document whose parts belong together."""

import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "package"))
import bill_of_materials as bill  # noqa: E402  (found through the path above)

PYTHON = os.path.realpath("/usr/bin/python3")


class BillOfMaterials(unittest.TestCase):
    def test_libraries_and_headers_have_owners(self):
        libraries = bill.linked_libraries([PYTHON])
        self.assertIn("libc6", bill.packages_of(libraries))
        self.assertIn("nlohmann-json3-dev", bill.packages_of({"/usr/include/nlohmann/json.hpp"}))
        self.assertEqual(bill.packages_of({"/nowhere/at/all"}), set())

    def test_packages_are_named_as_dpkg_has_them(self):
        entry = bill.described("libstdc++6")
        self.assertRegex(entry["SPDXID"], "^SPDXRef-[A-Za-z0-9.-]+$")
        self.assertRegex(entry["externalRefs"][0]["referenceLocator"], r"^pkg:deb/debian/libstdc%2B%2B6@\d")

    def test_relations_are_between_what_is_listed(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "pro gram")
            file.write_bytes(b"abc")
            found = bill.document("1.2.3", [str(file)], {"nlohmann-json3-dev"}, {"libc6"})
        listed = {"SPDXRef-DOCUMENT"} | {part["SPDXID"] for part in found["packages"] + found["files"]}
        self.assertEqual(len(listed), 5)
        for relation in found["relationships"]:
            self.assertIn(relation["spdxElementId"], listed)
            self.assertIn(relation["relatedSpdxElement"], listed)
        digests = {sum["algorithm"]: sum["checksumValue"] for sum in found["files"][0]["checksums"]}
        self.assertEqual(digests["SHA1"], "a9993e364706816aba3e25717850c26c9cd0d89d")

    def test_notices_have_every_package(self):
        text = bill.notices({"nlohmann-json3-dev"}, {"libc6", "libstdc++6"})
        for name in ("nlohmann-json3-dev", "libc6", "libstdc++6"):
            self.assertIn(name, text)
        self.assertIn("Permission is hereby granted", text)


if __name__ == "__main__":
    unittest.main()
