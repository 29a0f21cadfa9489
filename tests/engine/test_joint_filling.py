"""The proof at small scale, on the trained toy model: holes that must agree are filled together."""

from dataclasses import replace
from pathlib import Path

import joint_filling
import pytest
import toy_language

from engine.catalogue import resolve_local
from engine.config import EFFORTS, EXACT
from engine.loading import editor_on, load_model
from engine.protocol import Effort
from grammars.span import Replacement, apply

TOY = Path(__file__).parents[1] / "support" / "toy_checkpoint"
CASES = 30


@pytest.fixture(scope="module")
def editor():
    local = resolve_local(str(TOY))
    model, tokenizer = load_model(local, lambda message, fraction: None, None, "float32")
    return editor_on(model, tokenizer, local.entry.family)


def right(editor, kind, way):
    return joint_filling.score(editor, toy_language.cases(kind, CASES), way)[0] / CASES


@pytest.mark.parametrize(
    ("kind", "rivals"),
    [
        ("names", ("in turn", "each alone")),
        # These can be done in turn: the second hole sees what the first became.
        ("brackets", ("each alone",)),
        ("sums", ("each alone",)),
    ],
)
def test_holes_that_must_agree_do_so_more_often_when_filled_together(editor, kind, rivals):
    made = right(editor, kind, "together")
    for way in rivals:
        assert made > right(editor, kind, way) + 0.2


@pytest.mark.parametrize("kind", toy_language.KINDS)
def test_kept_text_gives_the_exact_fills(editor, kind, monkeypatch):
    """Nearly: it is an approximation, and these are trained weights."""
    cases = toy_language.cases(kind, CASES)
    kept = [joint_filling.together(editor, case)[0] for case in cases]
    exact = replace(EFFORTS[Effort.BALANCED], refresh=EXACT)
    monkeypatch.setitem(EFFORTS, Effort.BALANCED, exact)
    same = [joint_filling.together(editor, case)[0] for case in cases]
    assert sum(a == b for a, b in zip(kept, same, strict=True)) > 0.7 * CASES


def test_the_language_agrees_with_itself():
    """A right edit is told from a wrong one."""
    case = toy_language.cases("sums", 1)[0]
    part = int(case.text[case.text.index("b = ", case.spans[1].end) + 4])
    assert case.is_right(made(case, str(part + 2), "2"))
    assert not case.is_right(made(case, str(part + 3), "2"))
    case = toy_language.cases("brackets", 1)[0]
    assert case.is_right(made(case, "kul", "kul"))
    assert not case.is_right(made(case, "kul", "boz"))
    case = toy_language.cases("names", 1)[0]
    name = case.text[case.text.rindex("# ", 0, case.spans[0].start) + 2 :][:3]
    assert case.is_right(made(case, name, name, name))
    assert not case.is_right(made(case, name, "old", name))
    assert not case.is_right(made(case, name, name, name) + "\n")


def made(case, *fills):
    edits = [Replacement(s, fill) for s, fill in zip(case.spans, fills, strict=True)]
    return apply(case.text, edits)
