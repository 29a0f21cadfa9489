"""A corpus of two files a split, and what draws from it."""

import json

import pytest
import tiny

from engine.training.samples import Corpus, Sampler

PYTHON = "".join(
    f"def name_{i}(value, other):\n    total = value + {i}\n    if total == other:\n"
    f"        return total * other\n    return value - other\n\n\n"
    for i in range(20)
)


@pytest.fixture
def corpus(tmp_path):
    for name in ("train", "held"):
        rows = [
            {"text": PYTHON.replace("name", f"{name}{i}"), "language": "python"} for i in (1, 2)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines, "utf-8")
    return tmp_path


@pytest.fixture
def sampler(corpus):
    return Sampler(Corpus(corpus / "train.jsonl"), tiny.tokenizer(), tiny.FAMILY, 200, 256, 0)


@pytest.fixture
def python():
    return PYTHON
