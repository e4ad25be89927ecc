"""tools/gpu_targets.py composes what a check of a GPU found."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import gpu_targets  # noqa: E402  (found through the path above)


def findings(values: dict[tuple[str, str], float]) -> dict:
    return {"findings": [{"part": "p", "what": what, "value": value, "unit": unit}
                         for (what, unit), value in values.items()]}


KERNELS = findings({("LLaDA-8B 65664: dense", "ms"): 100, ("LLaDA-8B 65664: dense", "TFLOP/s"): 600,
                    ("LLaDA-8B 65664: dense, cuDNN", "ms"): 80,
                    ("LLaDA-8B 65664: dense, cuDNN", "TFLOP/s"): 700,
                    ("LLaDA-8B 65664: selection", "ms"): 50})
AT = "65536 + 128 tokens"
STEPS = findings({(f"llada-8b: full step, {AT}", "s"): 4.64,
                  (f"llada-8b: full step by cuDNN, {AT}", "s"): 4.0,
                  (f"llada-8b: plain step, {AT}", "s"): 5.0,
                  (f"llada-8b: SparseD: step that measures, {AT}", "s"): 6.0,
                  (f"llada-8b: SparseD: sparse step, {AT}", "s"): 2.0,
                  ("llada-8b: Sparse-dLLM: gain, a token a step, 65536 + 32 tokens", "x"): 15.0,
                  ("llada-8b: Sparse-dLLM: cached step, 65536 + 32 tokens", "ms"): 13.0})


class GpuTargetsTest(unittest.TestCase):
    def test_gains_are_over_the_faster_full_attention(self):
        found = {t.what: t for t in gpu_targets.targets([KERNELS, STEPS])}
        gain = found[f"LLaDA-8B, {AT}: SparseD, 128 steps, like for like"]
        # The baseline is cuDNN's; our own full steps are as measured.
        self.assertAlmostEqual(gain.value, 128 * 4.0 / (26 * 4.64 + 6 + 101 * 2))
        self.assertTrue(gain.met())
        plain = found[f"LLaDA-8B, {AT}: SparseD, 1024 steps, over the plain engine"]
        self.assertAlmostEqual(plain.value, 1024 * 4.36 / (205 * 4.64 + 6 + 818 * 2))

    def test_bounds_work_both_ways(self):
        found = {t.what: t for t in gpu_targets.targets([KERNELS, STEPS])}
        self.assertFalse(found["LLaDA-8B 65664: dense over dense, cuDNN"].met())
        self.assertTrue(found["LLaDA-8B 65664: selection over dense"].met())
        sparse = found["LLaDA-8B 65664: sparse, 30 % kept over dense, cuDNN"]
        self.assertFalse(sparse.met())
        self.assertIn("not found", sparse.line())
        self.assertTrue(found[f"LLaDA-8B, {AT}: Sparse-dLLM over full"].met())
        cached = found[f"LLaDA-8B, {AT}: cached step"]
        self.assertFalse(cached.met())
        self.assertIn("MISSED", cached.line())

    def test_gains_need_the_baseline(self):
        steps = {"findings": [f for f in STEPS["findings"] if "cuDNN" not in f["what"]]}
        found = {t.what: t for t in gpu_targets.targets([steps])}
        gain = found[f"LLaDA-8B, {AT}: SparseD, 128 steps, like for like"]
        self.assertIsNone(gain.value)
        self.assertFalse(gain.met())

    def test_what_was_not_found_has_no_target(self):
        self.assertEqual(gpu_targets.targets([{"findings": []}]), [])

    def test_writes_beside_the_findings(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "findings-kernels.json").write_text(json.dumps(KERNELS))
            gpu_targets.report(folder)
            rows = json.loads((folder / "targets.json").read_text())
            self.assertEqual([r["met"] for r in rows], [False, False, False, True])


if __name__ == "__main__":
    unittest.main()
