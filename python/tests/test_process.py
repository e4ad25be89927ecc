"""What a thousand models leave behind in a process: nothing."""

import gc
import tracemalloc

from conftest import ROOT

import unmask

TINY = ROOT / "tests" / "golden" / "gguf-llada-tiny" / "model.gguf"  # loads in milliseconds


def resident_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) * 1024


def test_a_thousand_loads_leave_nothing_behind():
    def load(times):
        for _ in range(times):
            model = unmask.Model(TINY, threads=2)
            assert len(model.prepare("Hi", raw=True, gen_length=4).tokens) > 4
        del model
        gc.collect()

    load(20)
    tracemalloc.start()
    try:
        before, resident = tracemalloc.get_traced_memory()[0], resident_bytes()
        load(1000)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < 32_000
    assert resident_bytes() - resident < 16_000_000  # the model itself is larger than that / 1000
