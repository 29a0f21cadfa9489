import random
import re
from dataclasses import replace

import pytest
import tiny
import torch

from engine.config import EFFORTS, Scoring
from engine.control import Control
from engine.errors import Cancelled, ConfigError, DeadlineExceeded
from engine.family import InPlace
from engine.holes import Holes
from engine.in_place import InPlaceFiller
from engine.loading import editor_on
from engine.protocol import EditRequest, EditResult, Effort
from engine.tries import Ask, Draft
from grammars.span import Replacement, Span, apply

ENDING = InPlace(shift=0, mask="<|fim_middle|>", start="<|fim_prefix|>", end=tiny.FAMILY.void)
LENGTH_GIVEN = replace(ENDING, shift=1, end=None, scoring=Scoring.ENTROPY)
FAMILIES = {"ending": ENDING, "length given": LENGTH_GIVEN}
VOID = tiny.vocabulary().special[tiny.FAMILY.void]


@pytest.fixture(params=FAMILIES)
def family(request):
    return FAMILIES[request.param]


@pytest.fixture
def editor(family):
    return editor_on(tiny.transformer(tiny.reference()), tiny.tokenizer(), family)


class Scripted:
    """Stands for the model: every hole is to become its text, then ends; notes what it saw."""

    def __init__(self, monkeypatch, filler, *rounds):
        self.rounds, self.around, self.canvases = list(rounds), [], []
        monkeypatch.setattr(filler, "denoiser", self.denoiser)

    def denoiser(self, around, refresh=None):
        self.around.append([tiny.tokenizer().decode(run) for run in around])
        self.texts = self.rounds.pop(0)
        return self

    def __call__(self, canvas):
        self.canvases.append(canvas.lengths)
        rows = []
        for text, length in zip(self.texts, canvas.lengths, strict=True):
            ids = [*text.encode(), *[VOID] * length]
            rows += ids[:length]
        logits = torch.zeros(len(canvas), len(tiny.vocabulary().tokens))
        logits[torch.arange(len(rows)), rows] = 12.0
        return logits


def ending(monkeypatch, *rounds):
    made = editor_on(tiny.transformer(), tiny.tokenizer(), ENDING)
    return made, Scripted(monkeypatch, made._filler, *rounds)


def asked(text, spans, **options):
    return EditRequest(
        text=text, spans=tuple(spans), **{"max_tokens": 24, "effort": Effort.QUICK} | options
    )


def cut(marked):
    """Take the holes out of a text that shows them as «old»."""
    spans, plain = [], ""
    for piece in re.split("(«.*?»)", marked, flags=re.DOTALL):
        if piece.startswith("«"):
            spans.append(Span(len(plain), len(plain) + len(piece) - 2))
        plain += piece.strip("«»")
    return plain, spans


@pytest.mark.parametrize(
    ("marked", "around"),
    [
        ("a = «1»\nb = «2»\n", ["a = ", "\nb = ", "\n"]),
        ("«1»\nb\n«2»", ["", "\nb\n", ""]),  # at the start and end of the file
        ("a = «1»«2»\n", ["a = ", "", "\n"]),  # touching
        ("a = «1»«»\n", ["a = ", "", "\n"]),  # one of them empty
    ],
)
def test_holes_are_masked_together(monkeypatch, marked, around):
    text, spans = cut(marked)
    editor, script = ending(monkeypatch, ["x", "yy"])
    result = editor.edit(asked(text, reversed(spans)), Control())
    assert script.around == [around]
    assert set(script.canvases) == {(24, 24)}
    assert [r.text for r in result.best.replacements] == ["x", "yy"]
    assert [r.span for r in result.best.replacements] == spans
    assert (result.best.verdict.ok, len(result.best.verdicts)) == (True, 2)
    assert (result.stats.steps, result.stats.tokens) == (1, 5)  # one step, no sweep
    assert EditResult.from_json(result.to_json()) == result


def test_a_hole_without_an_end_grows_alone(monkeypatch):
    text, spans = cut("a = «1»\nb = «2»\n")
    long = "".join(chr(97 + i % 26) for i in range(70))
    editor, script = ending(monkeypatch, [long, "y"])
    best = editor.edit(asked(text, spans, max_tokens=100), Control()).best
    assert [r.text for r in best.replacements] == [long, "y"]
    assert list(dict.fromkeys(script.canvases)) == [(32, 32), (64, 32), (100, 32)]


def test_what_is_refused_is_masked_again_and_what_is_right_stays(monkeypatch):
    text, spans = cut("a = «1»\r\nb = «2»\r\nc = «3»\r\n")
    editor, script = ending(monkeypatch, ["x", ")", "("], ["y", "z"])
    best = editor.edit(asked(text, spans, language="python"), Control()).best
    assert script.around == [["a = ", "\nb = ", "\nc = ", "\n"], ["a = x\nb = ", "\nc = ", "\n"]]
    assert [r.text for r in best.replacements] == ["x", "y", "z"]
    assert best.verdict.ok


def test_holes_that_are_right_only_together_are_right(monkeypatch):
    text, spans = cut("a = «1»2«3»\n")
    editor, _ = ending(monkeypatch, ["(", ")"])
    best = editor.edit(asked(text, spans, language="python"), Control()).best
    assert (best.verdict.ok, apply(text, best.replacements)) == (True, "a = (2)\n")


def test_a_hole_that_stays_refused_refuses_the_edit(monkeypatch):
    text, spans = cut("a = «1»\nb = «2»\n")
    editor, _ = ending(monkeypatch, ["x", ")"], [")"])
    best = editor.edit(asked(text, spans, language="python"), Control()).best
    assert [verdict.ok for verdict in best.verdicts] == [True, False]
    assert best.verdict.reasons[0].startswith("place 2 of 2: line 2")


def test_holes_out_of_each_others_window_are_filled_one_after_the_other(monkeypatch):
    effort = EFFORTS[Effort.QUICK]
    window = effort.max_prefix + effort.max_suffix
    line = "x = 1\n"
    near, far = line * (window // len(line) - 2), line * (window // len(line) + 1)
    text, spans = cut(f"a = «1»\n{near}b = «2»\n{far}c = «3»\n")
    editor, script = ending(monkeypatch, ["old", "new"], ["z"])
    control = Control()
    best = editor.edit(asked(text, spans), control).best
    assert [r.text for r in best.replacements] == ["old", "new", "z"]
    assert [len(around) for around in script.around] == [3, 2]
    seen = script.around[1][0]
    assert window / 2 < len(seen) <= window
    assert seen == line * (len(seen) // len(line)) + "c = "
    assert set(script.canvases) == {(24, 24), (24,)}


def test_a_model_too_small_for_all_takes_fewer_at_a_time(monkeypatch):
    text, spans = cut("".join(f"a{i} = «{i}»\n" for i in range(32)))
    editor, script = ending(monkeypatch, *(["v"] * n for n in (10, 10, 10, 2)))
    best = editor.edit(asked(text, spans, max_tokens=350), Control()).best
    assert [r.text for r in best.replacements] == ["v"] * 32
    assert [len(around) - 1 for around in script.around] == [10, 10, 10, 2]
    assert script.around[1][0].endswith("a9 = v\na10 = "), "it sees the new text above"


def test_so_many_scores_are_not_computed_at_once(monkeypatch):
    text, spans = cut("".join(f"a{i} = «{i}»\n" for i in range(7)))
    editor, script = ending(monkeypatch, *(["v"] * n for n in (3, 3, 1)))
    monkeypatch.setattr("engine.in_place._MAX_SCORES", 3 * 24 * len(tiny.vocabulary().tokens))
    best = editor.edit(asked(text, spans), Control()).best
    assert [r.text for r in best.replacements] == ["v"] * 7
    assert [len(around) - 1 for around in script.around] == [3, 3, 1]


def test_many_holes_are_denoised_to_their_end_however_many_steps_it_takes():
    filler = InPlaceFiller(tiny.transformer(), tiny.tokenizer(), LENGTH_GIVEN)
    doubtful = replace(EFFORTS[Effort.QUICK].denoise, commit_threshold=1.0, max_steps=8)
    effort = replace(EFFORTS[Effort.QUICK], denoise=doubtful)
    holes, control = Holes(("a = ", "\nb = ", "\n"), ("", "")), Control()
    drafts = filler.fill(holes, [8, 8], effort, 8, control, range(2))
    assert [draft.tokens for draft in drafts] == [8, 8]
    assert control.steps == 16


def test_a_hole_larger_than_the_model_is_refused(family):
    model = tiny.transformer()
    filler = InPlaceFiller(model, tiny.tokenizer(), family)
    holes = Holes(("a", "b", "c"), ("", ""))
    with pytest.raises(ConfigError, match=r"may take 5,00\d tokens, the model holds 4,096"):
        effort = EFFORTS[Effort.QUICK]
        lengths = filler.lengths(holes, effort, 5000, Control())
        filler.fill(holes, lengths[0], effort, 5000, Control(), [0, 1])


@pytest.mark.parametrize("count", [2, 7, 32])
def test_many_holes_are_one_edit(editor, count):
    text, spans = cut("".join(f"a{i} = «{i}»\n" for i in range(count)))
    result = editor.edit(asked(text, spans[::-1], max_tokens=2), Control())
    assert [r.span for r in result.best.replacements] == spans
    assert len(result.best.verdicts) == count


@pytest.mark.parametrize("seed", range(6))
def test_text_outside_the_holes_is_never_touched(editor, seed):
    rng = random.Random(seed)
    pieces = ["a", "b = 1", " ", "\t", "\r\n", "\r\n", "😀", "e\u0301", "def f():", "    "]
    text = "".join(rng.choices(pieces, k=30))
    cuts = sorted(rng.sample(range(len(text) + 1), 8))
    spans = [Span(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
    language = rng.choice(["", "python"])
    request = asked(text, spans, language=language, max_tokens=rng.randrange(1, 8))
    first, again = (editor.edit(request, Control()) for _ in range(2))
    assert first.best == again.best
    assert [r.span for r in first.best.replacements] == spans
    apply(text, first.best.replacements)
    for made in first.best.replacements:
        assert {*re.findall(r"\r\n|\n|\r", made.text)} <= {"\r\n"}


def test_frames_tell_their_hole(monkeypatch):
    text, spans = cut("a = «1»\nb = «2»\nc = «3»\n")
    editor, _ = ending(monkeypatch, ["x", "yy", "z"])
    frames = []
    editor.edit(asked(text, [spans[2], spans[0], spans[1]]), Control(on_frame=frames.append))
    shown = [(f.step, f.span, "".join(t.text for t in f.tokens)) for f in frames]
    assert shown == [(1, 1, "x"), (1, 2, "yy"), (1, 0, "z")], "the sweep changes none"


def test_a_cancel_stops_the_work(editor):
    text, spans = cut("a = «1»\nb = «2»\n")
    control = Control()
    control.on_frame = lambda frame: control.cancel()
    with pytest.raises(Cancelled):
        editor.edit(asked(text, spans), control)
    assert control.steps == 1


def test_no_time_means_no_result(editor):
    text, spans = cut("a = «1»\nb = «2»\n")
    with pytest.raises(DeadlineExceeded):
        editor.edit(asked(text, spans), Control(deadline_s=0.0))


def test_what_is_right_when_the_time_is_up_is_the_answer(monkeypatch):
    text, spans = cut("a = «1»\nb = «2»\n")
    editor, script = ending(monkeypatch, ["x", ")"], [")"])
    control = Control()
    control.on_frame = lambda frame: (
        setattr(control, "deadline_s", 0.0) if not script.rounds else None
    )
    best = editor.edit(asked(text, spans, language="python"), control).best
    assert [verdict.ok for verdict in best.verdicts] == [True, False]


def test_lengths_are_chosen_for_each_hole():
    filler = InPlaceFiller(tiny.transformer(), tiny.tokenizer(), LENGTH_GIVEN)
    control, effort = Control(), EFFORTS[Effort.THOROUGH]
    holes = Holes(("a = f(", ")\nreturn ", "\n"), ("", ""))
    tries = filler.lengths(holes, effort, 24, control)
    assert sorted(own[0] for own in tries) == sorted(own[1] for own in tries) == [2, 4, 8, 16, 24]
    assert control.forward_calls == 5
    drafts = filler.fill(holes, (3, 5), effort, 24, control, [0, 1])
    assert all(isinstance(draft, Draft) for draft in drafts)
    assert [draft.tokens for draft in drafts] == [3, 5]


def test_a_single_hole_is_tried_at_several_lengths(family):
    filler = InPlaceFiller(tiny.transformer(), tiny.tokenizer(), family)
    shape = Holes(("a = ", "\n"), ("",)).shape(0, [""])
    tries = list(filler.tries(shape, Ask(EFFORTS[Effort.QUICK], 20), Control()))
    assert len(tries) == {True: 2, False: 5}[family.end is not None]


def test_cutting_holes_out_of_a_text():
    holes = Holes.in_text("a1\r\nb2\r\nc3", [Span(9, 10), Span(1, 2)], [], False)
    assert (holes.around, holes.old) == (("a", "\nb2\nc", ""), ("1", "3"))
    made = [Replacement(Span(5, 6), "two\r\n")]
    holes = Holes.in_text("a1\r\nb2\r\nc3", [Span(1, 2), Span(9, 10)], made, True)
    assert (holes.around, holes.single_line) == (("a", "\nbtwo\n\nc", ""), True)
    fills = ["X", "Y"]
    assert (holes.before(1, fills), holes.behind(0, fills)) == ("aX\nbtwo\n\nc", "\nbtwo\n\ncY")
    shape = holes.shape(1, fills)
    assert (shape.prefix, shape.suffix, shape.old) == ("aX\nbtwo\n\nc", "", "3")


def test_a_hole_that_breaks_the_syntax_is_repaired_before_it_is_judged(monkeypatch):
    """Another canvas would be another try; a repair keeps what is right of this one."""
    text, spans = cut("a = «1»\nb = «2»\n")
    editor, script = ending(monkeypatch, ["f(1))", "y"])
    answer = Scripted.__call__

    def in_doubt(self, canvas):
        logits = answer(self, canvas)
        logits[:, ord(" ")] = 6.0  # the second choice everywhere
        logits[4, ord(")")] = 8.0  # and not far behind at the bracket that is one too many
        return logits

    monkeypatch.setattr(Scripted, "__call__", in_doubt)
    best = editor.edit(
        asked(text, spans, effort=Effort.BALANCED, language="python"), Control()
    ).best
    assert [r.text for r in best.replacements] == ["f(1)", "y"]
    assert best.verdict.ok
    assert len(script.around) == 1  # one try
