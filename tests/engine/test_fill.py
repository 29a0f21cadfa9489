import itertools
import math
from dataclasses import replace

import pytest
import tiny
import torch

from engine.cache import Cache
from engine.causal import NoDraft
from engine.config import EFFORTS, Decoding
from engine.control import Control
from engine.errors import Cancelled, ConfigError, DeadlineExceeded
from engine.fill import Filler
from engine.model import Transformer
from engine.prefix_cache import PrefixCache
from engine.protocol import Effort, TokenState
from engine.stopping import HoleShape
from engine.tries import Ask

VOCABULARY = tiny.vocabulary()
VOID = VOCABULARY.special[tiny.FAMILY.void]
C, P, R = TokenState.COMMITTED, TokenState.PROVISIONAL, TokenState.REVISED


class ScriptedModel:
    """Answers each pass with the next row of (token, probability); the last one again and again."""

    mask_vector = torch.zeros(1)
    device = torch.device("cpu")
    opened, branched = Transformer.opened, Transformer.branched
    is_by_token, draft_head = False, None

    def __init__(self, *passes, has_adapter=False):
        self.passes, self.has_adapter = list(passes), has_adapter
        self.config = tiny.config_of(tiny.reference())
        self.adapted = []
        self.lengths = []
        self.runs = []
        self.encoded = []

    def new_cache(self, capacity):
        return Cache.new(self.config, capacity, torch.float32, torch.device("cpu"))

    def embed(self, ids):
        return ids[:, None].float()

    def encode(self, ids, cache, *, block, only):
        self.adapted.append(False)
        if cache.length == 0:
            self.encoded.append([])
        self.encoded[-1] += ids
        return torch.tensor([[ids[place]] for place in only]).view(len(only), 1)

    def decode_each(self, runs, *, adapted=False):
        self.adapted.append(adapted)
        self.runs += [ids for ids, _ in runs]
        return [torch.zeros(len(ids), 1) for ids, _ in runs]

    def canvas(self, x, cache):
        self.lengths.append(len(x))
        return x

    def logits(self, hidden):
        script = self.passes.pop(0) if len(self.passes) > 1 else self.passes[0]
        logits = torch.zeros(len(hidden), len(VOCABULARY.tokens))
        for row, (token, p) in zip(logits, [*script, *[(VOID, 0.5)] * len(hidden)], strict=False):
            row[token] = math.log(p / (1 - p) * (len(row) - 1))
        return logits


def row(text, p=0.95, *, end=False):
    return [*((ord(c), p) for c in text), *[(VOID, p)] * end]


def sequential(text, end=VOID):
    return [*(row(c) for c in text), [(end, 0.95)]]


def fill(model, decoding=Decoding.SEQUENTIAL, *, shape=None, max_tokens=100, frames=None):
    control = Control(on_frame=None if frames is None else frames.append)
    filler = Filler(model, tiny.tokenizer(), tiny.FAMILY, decoding, PrefixCache(model))
    shape = shape or HoleShape("x = ", "\n")
    tries = filler.tries(shape, Ask(EFFORTS[Effort.QUICK], max_tokens), control)
    return next(tries), control


def test_a_fill_ends_with_an_end_token():
    draft, control = fill(ScriptedModel(*sequential("1 + 2")))
    assert (draft.text, draft.tokens) == ("1 + 2", 6)
    assert draft.score == pytest.approx(math.log(0.95), rel=1e-3)
    assert (control.forward_calls, control.steps) == (7, 6)


@pytest.mark.parametrize("single_line", [False, True])
@pytest.mark.parametrize("suffix_first", [False, True])
def test_a_draft_knows_where_the_hole_begins_and_what_ends_it(
    monkeypatch, single_line, suffix_first
):
    told = []

    class Told(NoDraft):
        def __init__(self, *args):
            told.append(args)

    monkeypatch.setattr("engine.fill.ContextDraft", Told)
    model = ScriptedModel(*sequential("ab"))
    model.draft_head = object()
    family = replace(tiny.FAMILY, fim=replace(tiny.FAMILY.fim, suffix_first=suffix_first))
    contexts = PrefixCache(model)
    filler = Filler(model, tiny.tokenizer(), family, Decoding.VERIFIED, contexts)
    shape = HoleShape("f(x)", ";\n" + 80 * "y", single_line=single_line)
    for _ in range(2):  # the second time nothing is encoded
        next(filler.tries(shape, Ask(EFFORTS[Effort.QUICK], 100), Control()))
        before, behind, _, state, is_last = told.pop()
        assert (bytes(before), bytes(behind)) == (b"f(x)", b";\n" + 80 * b"y")
        assert state.tolist() == [ord(")")]
        assert is_last(VOID) and not is_last(ord("a"))
        assert is_last(ord("\n")) is single_line


@pytest.mark.parametrize("name", tiny.FAMILY.ends)
def test_every_end_of_the_family_ends_it(name):
    draft, _ = fill(ScriptedModel(*sequential("ab", VOCABULARY.special[name])))
    assert draft.text == "ab"


def test_a_fill_ends_where_a_rule_says_so():
    shape = HoleShape("x = ", "\n", single_line=True)
    draft, control = fill(ScriptedModel(*sequential("1\n2")), shape=shape)
    assert (draft.text, control.steps) == ("1", 2)


def test_a_fill_that_is_cut_off_keeps_its_whole_lines():
    shape = HoleShape("a\n", "b\n", old="c\n")
    draft, _ = fill(ScriptedModel(*sequential("one\ntwo\nthree")), shape=shape, max_tokens=10)
    assert (draft.text, draft.tokens, draft.is_cut_off) == ("one\ntwo\n", 10, True)
    shape = HoleShape("a\n", "bcd\n", old="c\n")
    draft, _ = fill(ScriptedModel(*sequential("one\ntwo\nbcd\n")), shape=shape, max_tokens=12)
    assert (draft.text, draft.is_cut_off) == ("one\ntwo\n", False)
    draft, _ = fill(ScriptedModel(*sequential("one")), max_tokens=2)
    assert draft.text == "on"


def test_a_fill_begins_with_the_indentation_of_what_it_replaces():
    shape = HoleShape("f:\n", "", old="    c\n")
    model, frames = ScriptedModel(*sequential(" x\n    y")), []
    draft, control = fill(model, shape=shape, frames=frames)
    assert (draft.text, draft.tokens, control.forward_calls) == ("    x\n    y\n", 12, 1 + 9)
    sentinel = VOCABULARY.special[tiny.FAMILY.fim.middle]
    assert model.runs[:2] == [[sentinel, 32, 32, 32], [32]]
    assert "".join(t.text for t in frames[0].tokens) == "    "


def test_a_reviewed_fill_is_taken_back_or_goes_on():
    reviewed, frames = [], []

    def review(text):
        reviewed.append(text)
        return {"pass": 0, "1 +": 3}.get(text)

    shape = HoleShape("x = ", "\n", review=review)
    model = ScriptedModel(*sequential("pass"), *sequential("1 +"), *sequential(" 2"))
    draft, control = fill(model, shape=shape, frames=frames)
    assert reviewed == ["pass", "1 +", "1 + 2"]
    assert (draft.text, draft.tokens, control.forward_calls) == ("1 + 2", 6, 1 + 5 + 4 + 3)
    assert [t.state for t in frames[-1].tokens] == [R, C, C, R, C, C]


def test_what_is_taken_back_does_not_come_again_and_a_review_has_an_end():
    reviewed = []
    shape = HoleShape("x = ", "\n", review=lambda text: reviewed.append(text) or 0)
    draft, _ = fill(ScriptedModel([(97, 0.9)], [(VOID, 0.9)]), shape=shape)
    assert reviewed[0] == "a"
    assert not any(text.startswith("a") for text in reviewed[1:])
    assert len(reviewed) == 4
    assert draft.tokens < 9


HEADER = 'def f(x):\n    """Double x."""\n'
WHOLE = HoleShape(
    f"import a\n\n\n{HEADER}", "\n\nb()\n", old="    pass\n", language="python", begun=HEADER
)


def test_a_whole_function_is_asked_for_in_a_conversation_first():
    model = ScriptedModel(*sequential(" 2"), *sequential(" 3"), has_adapter=True)
    filler = Filler(model, tiny.tokenizer(), tiny.FAMILY, Decoding.SEQUENTIAL, PrefixCache(model))
    control = Control()
    tries = filler.tries(WHOLE, Ask(EFFORTS[Effort.QUICK], 100), control)
    assert (next(tries).text, next(tries).text) == ("    2\n", "    3\n")
    # The frozen base answers, then the hole is filled with the adapter.
    assert [adapted for adapted in model.adapted if adapted] == [True] * 3
    assert model.adapted[-3:] == [True] * 3
    (sight,) = control.explanation.sights
    assert (sight.before, sight.after) == (WHOLE.prefix, WHOLE.suffix)
    shown = tiny.tokenizer().decode(model.encoded[0])
    code = f"import a\n\n\n{HEADER}    pass\n\n\nb()"
    assert f"Complete this code:\n```python\n{code}\n```" in shown
    assert shown.endswith(f"```python\n{HEADER}".removesuffix("\n"))
    assert model.runs[0] == [ord("\n"), 32, 32, 32]


def test_several_drafts_of_a_whole_function_are_answers():
    model = ScriptedModel([(VOID, 0.95)], has_adapter=True)
    filler = Filler(model, tiny.tokenizer(), tiny.FAMILY, Decoding.SEQUENTIAL, PrefixCache(model))
    tries = filler.tries(WHOLE, Ask(EFFORTS[Effort.QUICK], 9, 5, wanted=3), Control())
    asked, filled = "asked to complete the code", "with the adapter"
    assert [draft.how for draft in itertools.islice(tries, 6)] == [
        f"the likeliest tokens, {asked}",
        f"drawn with seed 5, {asked}",
        f"drawn with seed 6, {asked}",
        f"the likeliest tokens, {filled}",
        "the likeliest tokens, by the base alone",
        f"drawn with seed 7, {filled}",
    ]


@pytest.mark.parametrize("why", ["no chat", "a long function", "on a canvas"])
def test_a_whole_function_is_filled_like_another_hole(why):
    family = replace(tiny.FAMILY, chat=None) if why == "no chat" else tiny.FAMILY
    decoding = Decoding.PARALLEL if why == "on a canvas" else Decoding.SEQUENTIAL
    shape = replace(WHOLE, begun="#" * 999) if why == "a long function" else WHOLE
    model = ScriptedModel(
        row("    2", end=True) if why == "on a canvas" else [(VOID, 0.95)], has_adapter=True
    )
    control = Control()
    filler = Filler(model, tiny.tokenizer(), family, decoding, PrefixCache(model))
    next(filler.tries(shape, Ask(EFFORTS[Effort.QUICK], 100), control))
    assert "Complete" not in tiny.tokenizer().decode(model.encoded[0])


def test_the_adapter_reads_the_hole_but_not_its_context():
    for decoding, has_adapter, expected in (
        (Decoding.SEQUENTIAL, True, [False, True, True]),
        (Decoding.SEQUENTIAL, False, [False, False, False]),
        (Decoding.BASE, True, [False, False, False]),
    ):
        model = ScriptedModel(*sequential("a"), has_adapter=has_adapter)
        fill(model, decoding)
        assert model.adapted == expected


def test_the_frozen_base_gives_the_second_draft():
    for has_adapter, expected in ((True, [True, False, True]), (False, [False, False, False])):
        model = ScriptedModel([(VOID, 0.95)], has_adapter=has_adapter)
        filler = Filler(
            model, tiny.tokenizer(), tiny.FAMILY, Decoding.SEQUENTIAL, PrefixCache(model)
        )
        shape = HoleShape("x = ", "\n")
        drafts = filler.tries(shape, Ask(EFFORTS[Effort.QUICK], 9), Control())
        model_passes = [next(drafts) and model.adapted[-1] for _ in range(3)]
        assert model_passes == expected


def test_frames_grow_by_a_token():
    frames = []
    fill(ScriptedModel(*sequential("ab")), frames=frames)
    assert [(f.span, f.step) for f in frames] == [(0, 1), (0, 2), (0, 3)]
    assert [[(t.text, t.state) for t in f.tokens] for f in frames] == [
        [("a", C)],
        [("a", C), ("b", C)],
        [("a", C), ("b", C), ("", C)],
    ]
    assert [t.confidence for t in frames[-1].tokens] == pytest.approx([0.95] * 3, rel=1e-3)


def test_a_canvas_is_filled_in_two_passes():
    model = ScriptedModel(row("1 + 2", end=True), has_adapter=True)
    draft, control = fill(model, Decoding.PARALLEL)
    assert (draft.text, draft.tokens) == ("1 + 2", 6)
    assert (control.forward_calls, control.steps) == (3, 2)  # context, canvas, revising sweep
    assert model.lengths == [32, 32]


def test_a_canvas_shows_its_denoising():
    frames = []
    model = ScriptedModel(
        [(ord("x"), 0.95), (ord("b"), 0.3), (VOID, 0.95)],
        [(ord("a"), 0.95), (ord("b"), 0.9), (VOID, 0.95)],
        has_adapter=True,
    )
    draft, _ = fill(model, Decoding.PARALLEL, frames=frames)
    assert draft.text == "ab"
    assert [[(t.text, t.state) for t in f.tokens] for f in frames] == [
        [("x", C), ("b", P)],
        [("a", R), ("b", C)],
        [("a", C), ("b", C)],
    ]


def test_a_canvas_without_an_end_grows_and_keeps_its_tokens():
    text = "".join(chr(97 + i % 26) for i in range(40))
    short = HoleShape("f(", ")\n", single_line=True)
    model = ScriptedModel(row(text, end=True), has_adapter=True)
    draft, _ = fill(model, Decoding.PARALLEL, shape=short)
    assert draft.text == text
    assert sorted(set(model.lengths)) == [16, 32, 64]


def test_a_canvas_grows_no_longer_than_allowed():
    model = ScriptedModel(row("a" * 300), has_adapter=True)
    draft, _ = fill(model, Decoding.PARALLEL, max_tokens=40)
    assert draft.text == "a" * 40
    assert sorted(set(model.lengths)) == [32, 41]


def test_a_hole_larger_than_the_model_is_refused():
    with pytest.raises(ConfigError, match=r"may take 4,999 tokens, the model holds 4,096"):
        fill(tiny.transformer(), max_tokens=4990)


def test_a_cancel_stops_before_the_next_pass():
    model = ScriptedModel([(97, 0.2)] * 40, has_adapter=True)
    control = Control()
    control.on_frame = lambda frame: control.cancel()
    filler = Filler(model, tiny.tokenizer(), tiny.FAMILY, Decoding.PARALLEL, PrefixCache(model))
    tries = filler.tries(HoleShape("", ""), Ask(EFFORTS[Effort.QUICK], 20), control)
    with pytest.raises(Cancelled):
        next(tries)
    assert len(model.lengths) == 1


@pytest.mark.parametrize("review", [None, lambda text: len(text) // 2 if len(text) % 3 else None])
@pytest.mark.parametrize("seed", range(6))
def test_a_verified_fill_is_the_sequential_one_in_fewer_passes(reference, seed, review):
    """On a random model, which soon repeats itself and so gives drafts something to find."""
    model = tiny.transformer(reference(seed=seed % 3))
    shape = HoleShape("value = one\n" * (seed + 1), "value = two\n" * seed, review=review)
    one, sequential_control = fill(model, Decoding.SEQUENTIAL, shape=shape, max_tokens=60)
    other, control = fill(model, Decoding.VERIFIED, shape=shape, max_tokens=60)
    assert (other.text, other.tokens) == (one.text, one.tokens)
    assert other.score == pytest.approx(one.score, abs=1e-4)
    assert control.forward_calls <= sequential_control.forward_calls


def drafts_of(filler, wanted, count):
    control = Control()
    shape = HoleShape(
        "value = one\n" * 3, "value = two\n", review=lambda t: 3 if len(t) == 9 else None
    )
    tries = filler.tries(shape, Ask(EFFORTS[Effort.QUICK], 24, 5, wanted), control)
    return [(d.text, d.tokens, d.score, d.how) for d in itertools.islice(tries, count)], control


@pytest.mark.parametrize("decoding", [Decoding.SEQUENTIAL, Decoding.VERIFIED])
def test_drafts_written_side_by_side_are_those_written_alone(reference, decoding):
    model = tiny.transformer(reference(seed=1))
    filler = Filler(model, tiny.tokenizer(), tiny.FAMILY, decoding, PrefixCache(model))
    alone, one_by_one = drafts_of(filler, 1, 4)
    beside, together = drafts_of(filler, 4, 4)
    for one, other in zip(alone, beside, strict=True):
        assert other == (*one[:2], pytest.approx(one[2], abs=1e-4), one[3])
    assert together.forward_calls < one_by_one.forward_calls * 0.6


def test_a_draft_that_is_finished_waits_for_nobody(reference):
    """So the likeliest one is there if the time is up before the others are done."""
    model = ScriptedModel(*sequential("a"))
    filler = Filler(model, tiny.tokenizer(), tiny.FAMILY, Decoding.SEQUENTIAL, PrefixCache(model))
    control = Control()
    tries = filler.tries(HoleShape("x = ", "\n"), Ask(EFFORTS[Effort.QUICK], 9, wanted=3), control)
    assert next(tries).text == "a"
    assert control.steps == 2


def test_a_draft_finished_beside_one_that_the_deadline_cuts_is_kept(reference):
    model = ScriptedModel(row("ab"), row("a", end=True), row("a"))
    filler = Filler(model, tiny.tokenizer(), tiny.FAMILY, Decoding.SEQUENTIAL, PrefixCache(model))
    control = Control()

    def late(frame):
        control.deadline_s = 0.0 if frame.step == 3 else control.deadline_s

    control.on_frame = late
    tries = filler.tries(HoleShape("x = ", "\n"), Ask(EFFORTS[Effort.QUICK], 9, wanted=2), control)
    draft = next(tries)
    assert (draft.text, draft.number) == ("b", 1)
    with pytest.raises(DeadlineExceeded):
        next(tries)


def test_a_canvas_is_filled_line_by_line_if_asked_to():
    text = "a\nb"
    model = ScriptedModel(row("a", 0.7) + row("\n", 0.8) + row("b"), has_adapter=True)
    filler = Filler(model, tiny.tokenizer(), tiny.FAMILY, Decoding.PARALLEL, PrefixCache(model))
    effort = EFFORTS[Effort.QUICK]
    denoising = replace(effort.denoise, by_line=True, commit_threshold=0.9, max_revisions=0)
    frames, control = [], Control()
    control.on_frame = frames.append
    ask = Ask(replace(effort, denoise=denoising), 20)
    assert next(filler.tries(HoleShape("x = ", "\n"), ask, control)).text == text
    committed = [[t.text for t in f.tokens if t.state is C] for f in frames]
    assert committed[:3] == [["\n"], ["a", "\n"], ["a", "\n", "b"]]
