"""Edits of real files by the real model, through the processes a user starts."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from grammars.validation import validate

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("model_file")]

RUST = """\
/// Returns the sum of all even numbers.
fn sum_of_even(numbers: &[i32]) -> i32 {
    let mut sum = 0;
    for number in numbers {
        todo!()
    }
    sum
}
"""
CART = """\
def total(prices):
    return sum(prices)


def count(prices):
    \"\"\"Return the number of prices.\"\"\"
    raise NotImplementedError
"""
README = Path(__file__).parents[2] / "README.md"


def diffill(*arguments):
    command = [str(Path(sys.executable).with_name("diffill")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    ("name", "language", "lines", "code"),
    [
        ("prices.py", "python", "25-25", "raise NotImplementedError"),
        ("average.ts", "typescript", "11-11", "sum += mark.points;"),
    ],
)
def test_a_fill_is_valid_and_stays_in_its_span(project, name, language, lines, code):
    before = (project / name).read_text()
    assert code in before
    if language == "typescript":  # else it is found to be what the model would write
        before = before.replace(code, "// TODO: implement")
        (project / name).write_text(before)
    done = diffill("fill", name, "--lines", lines, "--json", "--write")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    after = (project / name).read_text()
    [replacement] = answer["files"][0]["spans"]
    start, end = replacement["start"], replacement["end"]
    assert after == before[:start] + replacement["text"] + before[end:]
    assert replacement["text"].strip()
    assert validate(after, [], language).ok
    assert replacement["forward_calls"] > 0


def test_what_the_model_would_write_itself_is_left(project):
    before = (project / "average.ts").read_text()
    done = diffill("fill", "average.ts", "--lines", "11-11", "--json", "--write")
    assert done.returncode == 0, done.stderr
    [span] = json.loads(done.stdout)["files"][0]["spans"]
    assert span["status"] == "unchanged"
    assert (project / "average.ts").read_text() == before


def test_a_rust_hole_is_filled(project):
    (project / "sum.rs").write_text(RUST)
    done = diffill("fill", "sum.rs", "--lines", "5-5", "--no-single-line", "--write")
    assert done.returncode == 0, done.stderr
    after = (project / "sum.rs").read_text()
    head, tail = RUST.split("        todo!()\n")
    assert after.startswith(head)
    assert after.endswith(tail)
    assert "todo" not in after


ACCOUNT = """\
class Account:
    \"\"\"A bank account.\"\"\"

    def __init__(self, balance=0):
        self.balance = balance

    def withdraw(self, amount):
        self.balance -= amount
        return self.balance
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_method_is_rewritten_and_nothing_else(project, end):
    (project / "account.py").write_bytes(ACCOUNT.replace("\n", end).encode())
    instruction = "Raise a ValueError if the amount is not positive."
    done = diffill(
        "rewrite", "account.py", "--symbol", "withdraw", "--instruction", instruction, "--write"
    )
    assert done.returncode == 0, done.stderr
    after = (project / "account.py").read_bytes().decode()
    head = ACCOUNT[: ACCOUNT.index("        self.balance -=")].replace("\n", end)
    assert after.startswith(head)
    assert after.endswith("return self.balance" + end)
    assert "ValueError" in after
    assert after.count("class Account") == after.count("def withdraw") == 1


def test_a_file_with_crlf_and_a_mark_keeps_both(project):
    source = (project / "prices.py").read_bytes().replace(b"\n", b"\r\n")
    (project / "prices.py").write_bytes(b"\xef\xbb\xbf" + source)
    done = diffill("fill", "prices.py", "--lines", "25-25", "--write")
    assert done.returncode == 0, done.stderr
    after = (project / "prices.py").read_bytes()
    assert after.startswith(b"\xef\xbb\xbf")
    assert after.count(b"\n") == after.count(b"\r\n")
    assert b"NotImplementedError" not in after


REWRITES = {
    "type hints": (
        "def add(a, b):\n    return a + b\n",
        "Add type hints for int.",
        lambda f: f["add"].__annotations__ != {} and f["add"](2, 3) == 5,
    ),
    "docstring": (
        "def area(radius):\n    return 3.14159 * radius * radius\n",
        "Add a docstring.",
        lambda f: f["area"].__doc__ and f["area"](1) == 3.14159,
    ),
    "comprehension": (
        "def squares(n):\n    out = []\n    for i in range(n):\n        out.append(i * i)\n"
        "    return out\n",
        "Use a list comprehension.",
        lambda f: f["squares"](3) == [0, 1, 4] and "append" not in f["__source__"],
    ),
    "guard": (
        "def mean(xs):\n    return sum(xs) / len(xs)\n",
        "Raise ValueError if xs is empty.",
        lambda f: f["mean"]([1, 3]) == 2 and "ValueError" in f["__source__"],
    ),
    "parameter": (
        "def total(prices):\n    return sum(prices)\n",
        "Add a parameter tax with the default 0 and add it to the result.",
        lambda f: f["total"]([1, 2]) == 3 and f["total"]([1, 2], 4) == 7,
    ),
}


@pytest.mark.parametrize("edit", REWRITES)
def test_small_rewrites_come_out_right(project, edit):
    source, instruction, is_right = REWRITES[edit]
    (project / "a.py").write_text(source)
    last = source.count("\n")
    done = diffill(
        "rewrite", "a.py", "--lines", f"1-{last}", "--instruction", instruction, "--write"
    )
    assert done.returncode == 0, done.stderr
    after = (project / "a.py").read_text()
    names = {"__source__": after}
    exec(after, names)
    assert is_right(names), after


def test_the_readme_s_commands_work(project):
    cases = [{"id": 1, "prefix": "x = [1, 2]\ny = ", "suffix": "\n", "language": "python"}]
    (project / "holes.jsonl").write_text("".join(json.dumps(c) + "\n" for c in cases))
    (project / "src").mkdir()
    (project / "src" / "cart.py").write_text(CART)
    [section] = re.findall(r"## On your files\n\n```sh\n(.*?)```", README.read_text(), re.DOTALL)
    for command in section.splitlines():
        done = subprocess.run(
            command.replace("diffill", str(Path(sys.executable).with_name("diffill")), 1),
            shell=True,
            capture_output=True,
            text=True,
            timeout=300,
        )
        expected = 1 if command.startswith("diffill check ") else 0  # 1: there is something
        assert done.returncode == expected, (command, done.stderr)
    [answer] = map(json.loads, (project / "fills.jsonl").read_text().splitlines())
    assert answer["id"] == 1
    assert set(answer) == {"id", "text", "verdict", "forward_calls", "tokens", "seconds"}


def test_the_command_line_leaves_one_engine_to_the_next(tmp_path, engine_folder):
    case = tmp_path / "in.jsonl"
    case.write_text(
        json.dumps({"id": 1, "prefix": "def one():\n    return ", "suffix": "\n"}) + "\n"
    )
    command = Path(sys.executable).with_name("diffill")
    for _ in range(2):
        subprocess.run([command, "batch", case, tmp_path / "out.jsonl"], check=True, timeout=300)
    said = subprocess.run([command, "engine", "status", "--json"], stdout=subprocess.PIPE)
    assert json.loads(said.stdout)["done"] == 2
    assert subprocess.run([command, "engine", "stop"]).returncode == 0
