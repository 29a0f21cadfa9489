import pytest

from engine.errors import ConfigError
from engine.evaluation.edits import read_tasks

TASK = """
id = "double"
symbol = "double"
instruction = "Multiply by two."
before = '''
A = 1


def double(x):
    return x
'''
after = '''
def double(x):
    return 2 * x
'''
test = "assert double(2) == 4 and nodes(ast.Mult) and raises(TypeError, double) and CODE"
"""


@pytest.fixture
def read(tmp_path):
    def tasks(text):
        (tmp_path / "arithmetic.toml").write_text(text, encoding="utf-8")
        return read_tasks([tmp_path])

    return tasks


def test_a_task_and_its_place(read):
    (task,) = read("[[held]]" + TASK)
    assert (task.set, task.half, task.id, task.language) == (
        "arithmetic",
        "held",
        "double",
        "python",
    )
    assert task.span.of(task.text) == "def double(x):\n    return x"
    assert task.edited(task.expected) == "A = 1\n\n\ndef double(x):\n    return 2 * x\n"
    exec(task.program(task.expected), {})
    with pytest.raises(AssertionError):
        exec(task.program(task.span.of(task.text)), {})


@pytest.mark.parametrize(
    ("place", "covered"),
    [("", slice(0, 5)), ('lines = "4-4"', slice(3, 4)), ('lines = "1-5"', slice(0, 5))],
)
def test_places_are_symbols_lines_or_everything(read, place, covered):
    (task,) = read("[[dev]]" + TASK.replace('symbol = "double"', place))
    assert task.span.of(task.text) == "\n".join(task.text.split("\n")[covered])


def test_other_languages_run_the_test_alone(read):
    text = TASK.replace('symbol = "double"', 'language = "rust"')
    text = text[: text.index("test =")] + "test = 'assert SOURCE.startswith(\"A = 1\") and re'\n"
    (task,) = read("[[dev]]" + text)
    exec(task.program(task.span.of(task.text)), {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no edit task"),
        ("[[dev]\n", r"arithmetic\.toml cannot be read: .*line 1"),
        ("[[other]]" + TASK, "other is none of the tables"),
        ("dev = [1]", "dev 1 is not a table"),
        ("[[dev]]\nid = 'a'", "dev 1: there is no instruction"),
        ("[[dev]]" + TASK + "extra = ''", "dev 1: extra is no field of a task"),
        ("[[dev]]" + TASK.replace('"double"', "3"), "dev 1: id is 3, not a text"),
        (
            "[[dev]]" + TASK.replace('symbol = "d', 'symbol = "D'),
            "0 definitions are called 'Double'",
        ),
        ("[[dev]]" + TASK.replace("symbol =", "lines ="), "lines 'double' are not within 1-5"),
        ("[[dev]]" + TASK + "language = 'latin'", "no grammar for the language 'latin'"),
        ("[[dev]]" + TASK + "[[held]]" + TASK, "the same id"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(read, text, message):
    with pytest.raises(ConfigError, match=message):
        read(text)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read: No such file"):
        read_tasks([tmp_path / "none.toml"])
