"""What a thousand models leave behind in a process: nothing."""

import gc
import tracemalloc

from conftest import ROOT

import unmask

TINY = ROOT / "tests" / "golden" / "gguf-llada-tiny" / "model.gguf"  # loads in milliseconds


def resident_bytes() -> int:
    with open("/proc/self/status", "rb") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(b"VmRSS:")) * 1024


def test_a_thousand_loads_leave_nothing_behind():
    def load(times):
        for _ in range(times):
            model = unmask.Model(TINY, threads=2)
            assert len(model.prepare("Hi", raw=True, gen_length=4).tokens) > 4
        del model
        gc.collect()

    tracemalloc.start()
    try:
        load(20)  # what is kept once
        before, resident = tracemalloc.get_traced_memory()[0], resident_bytes()
        load(1000)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < 32_000  # not even 32 bytes a time
    assert resident_bytes() - resident < 16_000_000
