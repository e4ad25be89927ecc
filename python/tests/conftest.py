"""What the tests share: the embedded model, and a question that it knows the answer to."""

import os
import pathlib

import pytest

import unmask

ROOT = pathlib.Path(os.environ.get("UNMASK_ROOT", pathlib.Path(__file__).resolve().parents[2]))
DEMO = ROOT / "models" / "demo"
QUESTION = ("Text: It was late. The code of the brave otter is 4821. Rain fell. "
            "Question: What is the code of the brave otter?")
ANSWER = "brave otter: 4821"


@pytest.fixture(scope="session")
def model():
    return unmask.Model(DEMO, threads=2)
