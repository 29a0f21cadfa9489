import gzip
import json
import random
from itertools import pairwise

import pytest

from engine.errors import ConfigError
from engine.evaluation.cases import functions_of, read_cases, read_held, spread
from engine.evaluation.holes import holes

ROW = {
    "task_id": "SingleLineInfilling/HumanEval/4/L1",
    "entry_point": "f",
    "prompt": "def f():\n",
    "canonical_solution": "    return 1\n",
    "suffix": "",
    "test": "def check(f):\n    assert f() == 1\n",
}
SOURCE = "".join(
    f"def function_{i}(a, b):\n    total = a + b\n    return total\n\n" for i in range(9)
)


def write(path, *rows):
    text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_a_benchmark_file(tmp_path):
    path = write(tmp_path / "humaneval-single-line.dev.jsonl.gz", ROW)
    (case,) = read_cases(path)
    assert (case.set, case.task, case.single_line) == ("single-line", "HumanEval/4", True)
    assert (case.prefix, case.truth) == ("def f():\n", "    return 1\n")
    assert case.test == ROW["test"] + "\ncheck(f)\n"
    multi = write(tmp_path / "m.jsonl", ROW | {"task_id": "MultiLineInfilling/HumanEval/4/L1_L2"})
    assert not read_cases(multi)[0].single_line


def test_whole_functions_are_cases_of_their_own(tmp_path):
    prompt = 'def g():\n    return 2\n\n\ndef f():\n    """One."""\n'
    rows = [ROW | {"prompt": prompt}, ROW | {"task_id": "a/HumanEval/4/L2", "prompt": prompt}]
    (case,) = functions_of(read_cases(write(tmp_path / "a.jsonl", *rows)))
    assert (case.set, case.id, case.single_line) == ("functions", "HumanEval/4", False)
    assert (case.prefix, case.truth, case.test) == (
        prompt,
        "    return 1\n",
        ROW["test"] + "\ncheck(f)\n",
    )
    assert (case.text, case.span.of(case.text)) == (prompt + "    pass\n", "    pass\n")
    later = ROW | {"prompt": prompt, "canonical_solution": "\n    return 1\n"}
    (case,) = functions_of(read_cases(write(tmp_path / "b.jsonl", later)))
    assert case.old == "    pass\n"
    without = read_cases(write(tmp_path / "c.jsonl", ROW | {"entry_point": "h"}))
    with pytest.raises(ConfigError, match="function that its test checks"):
        functions_of(without)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((), "holds no case"),
        (("{\n",), "line 1 is not JSON"),
        (("[]\n",), "line 1 is not a JSON object"),
        ((ROW, {k: v for k, v in ROW.items() if k != "suffix"}), "line 2: there is no suffix"),
        ((ROW | {"prompt": 3},), "prompt is 3, not a string"),
        ((ROW, ROW), "a case twice"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path, rows, message):
    with pytest.raises(ConfigError, match=message):
        read_cases(write(tmp_path / "a.jsonl", *rows))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        read_cases(tmp_path / "none.jsonl")
    plain = write(tmp_path / "plain.jsonl", ROW).rename(tmp_path / "plain.jsonl.gz")
    with pytest.raises(ConfigError, match=r"plain\.jsonl\.gz cannot be read"):
        read_cases(plain)
    whole = write(tmp_path / "cut.jsonl.gz", ROW)
    whole.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(ConfigError, match="cannot be read"):
        read_cases(whole)
    (tmp_path / "latin.jsonl").write_bytes(b'{"a": "\xe9"}\n')
    with pytest.raises(ConfigError, match="cannot be read"):
        read_cases(tmp_path / "latin.jsonl")


def test_held_out_files_by_name_or_path_with_their_language(tmp_path):
    path = write(
        tmp_path / "held.jsonl",
        {"package": "p", "name": "a.py", "text": SOURCE},
        {"package": "q", "path": "b.txt", "text": SOURCE},
        {"package": "q", "path": "c", "language": "python", "text": SOURCE.replace("\n", "\r\n")},
    )
    cases = read_held(path, seed=0)
    assert {case.set for case in cases} == {"held-out python"}
    assert {case.task for case in cases} == {"p", "q"}
    assert len(cases) == 6
    for case in cases:
        assert case.prefix + case.truth + case.suffix == SOURCE
        assert case.test is None
    kinds = {case.id.rpartition(":")[2] for case in spread(cases, 3, seed=0)}
    assert kinds == {"single-line", "line-tail", "multi-line"}
    assert read_held(path, seed=0) == cases
    assert read_held(path, seed=1) != cases


def test_holes_are_what_they_are_called():
    for seed in range(200):
        found = {h.kind: h.span for h in holes(SOURCE, random.Random(seed))}
        assert set(found) == {"single-line", "line-tail", "multi-line"}
        for kind, span in found.items():
            truth = span.of(SOURCE)
            starts_line = span.start == 0 or SOURCE[span.start - 1] == "\n"
            if kind == "line-tail":
                assert SOURCE[: span.start].rpartition("\n")[2].strip()
                assert "\n" not in truth
                assert SOURCE[span.end] == "\n"
            else:
                assert starts_line
                assert truth.endswith("\n")
                assert (truth.count("\n") > 1) == (kind == "multi-line")


def test_texts_without_a_place_have_no_holes():
    for text in ("", "x\n", "\n" * 40, "}\n" * 40):
        assert holes(text, random.Random(0)) == []


def test_spread_is_even_and_seeded():
    items = list(range(100))
    for seed in range(20):
        chosen = spread(items, 7, seed)
        gaps = [b - a for a, b in pairwise(chosen)]
        assert len(set(chosen)) == 7
        assert set(gaps) <= {14, 15}
        assert spread(items, 7, seed) == chosen
    assert len({tuple(spread(items, 7, seed)) for seed in range(20)}) > 5
    assert spread(items, None, 0) == spread(items, 100, 0) == items
