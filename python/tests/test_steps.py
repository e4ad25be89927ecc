"""Steps as they come: callbacks, streams, engines, arrays without copies, threads, Ctrl-C."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import ANSWER, DEMO, QUESTION

import unmask

SLOW = {"preset": "exact", "gen_length": 48, "early_stop": False}


def test_callbacks_see_every_step(model):
    events = []
    result = model.generate(QUESTION, on_step=events.append, **SLOW)
    assert [event.step for event in events] == list(range(48))
    assert (events[-1].tokens == result.tokens).all()
    decided = np.concatenate([event.positions for event in events])
    begin = len(result.tokens) - 48
    assert sorted(decided) == list(range(begin, begin + 48))
    for event in events:
        assert (event.tokens[event.positions] == event.decided).all()
        assert (event.confidences > 0).all()
        assert (event.tokens == event.mask).sum() == event.masks_left


def test_callbacks_end_and_raise(model):
    result = model.generate(QUESTION, on_step=lambda event: event.step < 2, **SLOW)
    assert result.finish == "cancelled" and result.steps == 3
    with pytest.raises(ZeroDivisionError):
        model.generate(QUESTION, on_step=lambda event: 1 // 0)
    with pytest.raises(unmask.Error, match="callback") as caught:
        model.generate(QUESTION, on_step=lambda event: model.generate(QUESTION))
    assert caught.value.code == unmask.ErrorCode.MISUSE
    assert model.generate(QUESTION).text == ANSWER


def test_streams_compute_on_demand(model):
    stream = model.stream(QUESTION, **SLOW)
    assert [event.step for event in stream] == list(range(48))
    assert (stream.result.tokens == model.generate(QUESTION, **SLOW).tokens).all()
    left = model.stream(QUESTION, **SLOW)
    next(left)
    assert left.result.steps == 1 and left.result.finish == "cancelled"
    assert list(left) == []


def test_arrays_are_views_that_keep_their_event(model):
    event = next(model.stream(QUESTION, **SLOW))
    tokens, confidences = event.tokens, event.confidences
    assert tokens.base is event and np.shares_memory(tokens, event.tokens)
    assert not tokens.flags.owndata and not tokens.flags.writeable
    before = tokens.copy()
    del event
    gc.collect()
    assert (tokens == before).all() and confidences.dtype == np.float32


def test_engines_take_requests_in_between(model):
    engine = model.engine(max_running=2)
    slow = engine.submit(model.prepare(QUESTION, **SLOW))
    engine.step()
    quick = engine.submit(model.prepare(QUESTION))
    while not engine.ended(quick):
        engine.step()
    assert not engine.ended(slow) and engine.open == 1
    assert engine.take(quick).text == ANSWER
    engine.cancel(slow)
    engine.run()
    assert engine.take(slow).finish == "cancelled"
    with pytest.raises(unmask.Error, match="taken already"):
        engine.take(slow)


def test_threads_share_a_model_while_python_goes_on(model):
    texts = []
    threads = [threading.Thread(target=lambda: texts.append(model.generate(QUESTION).text))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == [ANSWER] * 4
    counted = 0
    worker = threading.Thread(target=lambda: model.generate(QUESTION, **SLOW))
    worker.start()
    while worker.is_alive():
        counted += 1
        time.sleep(0)
    assert counted > 10  # this thread ran beside the computation


def test_ctrl_c_ends_the_work_and_the_model_goes_on():
    script = f"""
import unmask
model = unmask.Model({str(DEMO)!r}, threads=1)
print("ready", flush=True)
try:
    model.generate({QUESTION!r}, preset="exact", gen_length=3000, early_stop=False)
    print("not interrupted")
except KeyboardInterrupt:
    print("interrupted", model.generate({QUESTION!r}))
"""
    program = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True,
                               env=os.environ)
    assert program.stdout.readline() == "ready\n"
    time.sleep(0.3)
    program.send_signal(signal.SIGINT)
    assert program.communicate(timeout=60)[0] == f"interrupted {ANSWER}\n"


def test_loads_and_frees_leave_nothing():
    def resident():
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def load(times):
        for _ in range(times):
            unmask.Model(DEMO, threads=1)

    load(5)
    before = resident()
    load(25)  # a model takes 11 MB
    assert resident() - before < 11e6
