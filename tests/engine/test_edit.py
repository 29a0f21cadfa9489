import random
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import tiny

from engine.adapter import load_adapter
from engine.config import Decoding
from engine.control import Control
from engine.errors import Cancelled, ConfigError, DeadlineExceeded
from engine.fill import Draft
from engine.loading import editor_on
from engine.prefix_cache import PrefixCache
from engine.protocol import EditRequest, EditResult, Effort, TokenState
from grammars.lines import line_end
from grammars.span import Span, apply
from grammars.verdict import Verdict

TEXT = "def total(prices):\r\n    summe = '😀'\r\n    return summe\r\n"
LINE = Span(TEXT.index("    summe"), TEXT.index("    return"))


@pytest.fixture(scope="module")
def editor():
    """One that meets every request as its first."""
    model = tiny.transformer(tiny.reference())
    return editor_on(model, tiny.tokenizer(), tiny.FAMILY, contexts=PrefixCache(model, 0))


@pytest.fixture(scope="module")
def parallel(tmp_path_factory):
    model = tiny.transformer(tiny.reference())
    path = tmp_path_factory.mktemp("adapter") / "a.safetensors"
    load_adapter(model, tiny.write_adapter(path, tiny.adapter_tensors(model.config)), "base")
    return editor_on(model, tiny.tokenizer(), tiny.FAMILY, Decoding.PARALLEL)


def request(text=TEXT, spans=(LINE,), **options):
    return EditRequest(
        text=text, spans=spans, **{"max_tokens": 12, "effort": Effort.QUICK} | options
    )


def without_time(result):
    return replace(result, stats=replace(result.stats, seconds=0.0))


def random_request(rng):
    pieces = ["a", "b = 1", " ", "\t", "\r\n", "\r\n", "\n", "😀", "e\u0301", "def f():", "    "]
    text = "".join(rng.choices(pieces, k=rng.randrange(30)))
    cuts = sorted(rng.sample(range(len(text) + 1), min(len(text) + 1, 2 * rng.randrange(1, 4))))
    spans = [Span(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)] or [Span(0, 0)]
    rng.shuffle(spans)
    return request(
        text,
        tuple(spans),
        language=rng.choice(["", "python"]),
        single_line=rng.random() < 0.3,
        seed=rng.randrange(99),
        max_tokens=rng.randrange(1, 8),
    )


@pytest.mark.parametrize("decoding", ["sequential", "parallel"])
@pytest.mark.parametrize("seed", range(8))
def test_text_outside_the_spans_is_never_touched(editor, parallel, decoding, seed):
    rng = random.Random(seed)
    for _ in range(4):
        asked = random_request(rng)
        result = {"sequential": editor, "parallel": parallel}[decoding].edit(asked, Control())
        ends = {line_end(asked.text)}
        for candidate in result.candidates:
            assert [r.span for r in candidate.replacements] == sorted(asked.spans)
            apply(asked.text, candidate.replacements)
            for made in candidate.replacements:
                assert {*re.findall(r"\r\n|\n|\r", made.text)} <= ends


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("", Span(0, 0)),
        (TEXT, Span(0, 0)),
        (TEXT, Span(len(TEXT), len(TEXT))),
        (TEXT, Span(LINE.start, LINE.start)),
        (TEXT, Span(0, len(TEXT))),
    ],
)
def test_holes_may_be_empty_and_anywhere(editor, text, span):
    result = editor.edit(request(text, (span,)), Control())
    assert [r.span for r in result.best.replacements] == [span]
    assert result.stats.forward_calls > result.stats.steps > 0


@pytest.mark.parametrize("count", [2, 3, 8, 32])
def test_many_spans_are_one_edit(editor, count):
    text = "".join(f"a{n} = {n}\n" for n in range(count))
    starts = [m.end() for m in re.finditer("= ", text)]
    spans = tuple(Span(at, text.index("\n", at)) for at in starts)
    result = editor.edit(request(text, spans[::-1], max_tokens=2), Control())
    assert len(result.candidates) == 1
    assert [r.span for r in result.best.replacements] == list(spans)
    assert len(result.best.verdicts) == count
    assert EditResult.from_json(result.to_json()) == result


def scripted(monkeypatch, editor, *texts):
    """Let the model propose each text in turn, and return what it is shown."""
    seen, texts = [], iter(texts)

    def tries(shape, *_):
        seen.append(shape)
        return iter([Draft(next(texts), 3, -1.0)])

    monkeypatch.setattr(editor, "_filler", SimpleNamespace(tries=tries))
    return seen


HOLES = "def a():\r\n    ...\r\n\r\n\r\ndef b():\r\n    ...\r\n\r\n\r\ndef c():\r\n    ...\r\n"
BODIES = tuple(Span(m.start(), m.end()) for m in re.finditer(r"    \.\.\.\r\n", HOLES))


def test_a_later_span_sees_the_new_text_above(monkeypatch, editor):
    seen = scripted(monkeypatch, editor, "    x = 1\n    return x\n", "    y\n", "    z\n")
    best = editor.edit(request(HOLES, BODIES[::-1], language="python"), Control()).best
    assert best.verdict.ok
    made = ["    x = 1\r\n    return x\r\n", "    y\r\n", "    z\r\n"]
    assert [r.text for r in best.replacements] == made
    bodies = HOLES.replace("\r\n", "\n").split("    ...\n")
    assert seen[1].prefix == bodies[0] + "    x = 1\n    return x\n" + bodies[1]
    assert seen[2].prefix == seen[1].prefix + "    y\n" + bodies[2]
    assert seen[0].suffix == bodies[1] + "    ...\n" + bodies[2] + "    ...\n"


def test_several_spans_are_swept_until_none_changes(monkeypatch, editor):
    """At effort thorough; here the first depends on the last, and the last stays as it is."""
    seen = scripted(
        monkeypatch,
        editor,
        *("    x\n", "    y\n", "    z\n"),
        *("    z.x\n", "    (\n", *["    (\n"] * 3, "    z\n"),
        *("    z.x\n", "    y\n", "    z\n"),
    )
    asked = request(HOLES, BODIES, language="python", effort=Effort.THOROUGH)
    best = editor.edit(asked, Control()).best
    assert best.verdict.ok
    assert [r.text.strip() for r in best.replacements] == ["z.x", "y", "z"]
    assert seen[3].suffix.count("...") == 0
    assert "    y\n" in seen[3].suffix and "    z\n" in seen[3].suffix
    assert "    z.x\n" in seen[-1].prefix


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_first_sweep_is_an_answer_and_part_of_one_is_none(monkeypatch, editor, count):
    texts = iter(["    x\n", "    y\n", "    z\n", "    w\n"][:count])

    def tries(*_):
        if (text := next(texts, None)) is None:
            raise DeadlineExceeded("no result in time")
        yield Draft(text, 3, -1.0)

    monkeypatch.setattr(editor, "_filler", SimpleNamespace(tries=tries))
    asked = request(HOLES, BODIES, language="python", effort=Effort.THOROUGH)
    if count < len(BODIES):
        with pytest.raises(DeadlineExceeded):
            editor.edit(asked, Control())
    else:
        result = editor.edit(asked, Control())
        assert result.is_cut and result.best.verdict.ok
        first = "w" if count > len(BODIES) else "x"
        assert [r.text.strip() for r in result.best.replacements] == [first, "y", "z"]


def test_a_refused_span_refuses_the_edit_and_no_other_span(monkeypatch, editor):
    seen = scripted(monkeypatch, editor, "    x = 1\n", "    y = (\n", "    z\n")
    best = editor.edit(request(HOLES, BODIES, language="python"), Control()).best
    assert [verdict.ok for verdict in best.verdicts] == [True, False, True]
    assert not best.verdict.ok
    assert all(reason.startswith("place 2 of 3: line 6") for reason in best.verdict.reasons)
    assert "y = (" not in seen[2].prefix, "below, the refused text would mislead"
    assert [r.span for r in best.replacements] == list(BODIES)


def test_spans_that_are_right_alone_may_be_wrong_together(monkeypatch, editor):
    verdicts = iter([Verdict(True), Verdict(True), Verdict(False, ("clash",))])
    scripted(monkeypatch, editor, "x", "y")
    for place in ("engine.judging.validate", "engine.edit.validate"):
        monkeypatch.setattr(place, lambda *_: next(verdicts))
    best = editor.edit(request(HOLES, BODIES[:2]), Control()).best
    assert (best.verdict, best.verdicts) == (Verdict(False, ("clash",)), (Verdict(True),) * 2)


def test_refused_candidates_come_last_with_their_reasons(editor):
    drafts = [
        Draft("    x = (\n", 3, -0.1),
        Draft("    x = 1\n", 3, -2.0),
        Draft("    y = 2\n", 3, -1.0),
    ]
    editor._filler.tries = lambda *_: iter(drafts)
    try:
        asked = request(language="python", candidates=3, effort=Effort.THOROUGH)
        candidates = editor.edit(asked, Control()).candidates
    finally:
        del editor._filler.tries
    texts = [c.replacements[0].text for c in candidates]
    assert texts == ["    y = 2\r\n", "    x = 1\r\n", "    x = (\r\n"]
    assert [c.verdict.ok for c in candidates] == [True, True, False]
    assert "line 2" in candidates[-1].verdict.reasons[0]


def test_candidates_differ(editor):
    result = editor.edit(request(candidates=4), Control())
    texts = [c.replacements[0].text for c in result.candidates]
    assert len(texts) == len(set(texts)) == 4


def test_the_same_seed_gives_the_same_result(editor):
    def made(seed):
        asked = request(candidates=3, seed=seed)
        return without_time(editor.edit(asked, Control()))

    assert made(1) == made(1)
    assert made(1) != made(2)


def test_no_time_means_no_result(editor):
    with pytest.raises(DeadlineExceeded, match="no result within 0 s"):
        editor.edit(request(), Control(deadline_s=0.0))


@pytest.mark.parametrize("instruction", [None, "rename it"])
def test_a_cancelled_request_does_not_start(editor, instruction):
    control = Control()
    control.cancel()
    with pytest.raises(Cancelled):
        editor.edit(request(instruction=instruction), control)
    assert control.forward_calls == 0


@pytest.mark.parametrize("instruction", [None, "rename it"])
def test_a_cancel_from_a_frame_stops_the_work(editor, instruction):
    control = Control()
    control.on_frame = lambda frame: control.cancel()
    with pytest.raises(Cancelled):
        editor.edit(request(instruction=instruction), control)
    assert control.steps == 1


def test_what_is_kept_from_other_requests_changes_no_edit(editor):
    keeping = editor_on(tiny.transformer(tiny.reference()), tiny.tokenizer(), tiny.FAMILY)
    rng = random.Random(1)
    calls = 0
    for number in range(40):
        asked = random_request(rng)
        if number % 3 == 0:
            asked = replace(asked, instruction="rename it")
        for again in (asked, replace(asked, text=asked.text + "\n")):
            expected, got = (e.edit(again, Control()) for e in (editor, keeping))
            assert got.candidates == expected.candidates
            calls += expected.stats.forward_calls - got.stats.forward_calls
    assert calls > 0  # some contexts were known


def test_a_rewrite_stays_within_its_span(editor):
    result = editor.edit(request(instruction="rename it"), Control())
    made = result.best.replacements[0]
    assert made.span == LINE
    assert {*re.findall(r"\r\n|\n|\r", made.text)} <= {"\r\n"}


def test_a_rewrite_that_mends_is_told_what_stands_in_front(monkeypatch, editor):
    shapes = []

    def tries(shape, *_):
        shapes.append(shape)
        return iter([Draft("1)", 3, -1.0)])

    monkeypatch.setattr(editor, "_rewriter", SimpleNamespace(tries=tries))
    asked = request("a = (1\n", (Span(5, 6),), instruction="mend it", mends=True)
    editor.edit(replace(asked, language="python"), Control())
    assert [shape.prefix for shape in shapes] == ["a = ("]


def test_a_region_the_model_cannot_hold_is_refused(editor):
    text = "x = 1\n" * 1000
    with pytest.raises(ConfigError, match=r"too long to rewrite: it takes .* holds 4,096"):
        editor.edit(request(text, (Span(0, len(text)),), instruction="rename it"), Control())


def test_parallel_decoding_needs_an_adapter():
    with pytest.raises(ConfigError, match="needs an adapter"):
        editor_on(tiny.transformer(), tiny.tokenizer(), tiny.FAMILY, Decoding.PARALLEL)


def test_parallel_decoding_shows_every_step(parallel):
    frames = []
    control = Control(on_frame=frames.append)
    result = parallel.edit(request(effort=Effort.QUICK, candidates=1), control)
    assert [f.step for f in frames] == list(range(1, result.stats.steps + 1))
    assert result.stats.forward_calls == result.stats.steps + 1
    for frame in frames:
        assert frame.span == 0
        assert len(frame.tokens) <= 13
        assert all(0 <= t.confidence <= 1 for t in frame.tokens)
    settled = {TokenState.COMMITTED, TokenState.REVISED}
    assert {t.state for t in frames[0].tokens} - settled == {TokenState.PROVISIONAL}


def test_frames_tell_their_span(editor):
    frames = []
    editor.edit(request(TEXT, (Span(10, 16), Span(4, 9))), Control(on_frame=frames.append))
    numbers = [f.span for f in frames]
    assert [*dict.fromkeys(numbers)] == [1, 0], "from the top, by the request's own order"


@pytest.mark.parametrize("decoding", ["sequential", "parallel"])
@pytest.mark.parametrize("instruction", [None, "change it"])
def test_an_explanation_tells_all_that_was_seen_and_tried(editor, parallel, decoding, instruction):
    frames = []
    asked = request(candidates=3, instruction=instruction, language="python", explain=True)
    editor = {"sequential": editor, "parallel": parallel}[decoding]
    result = editor.edit(asked, Control(on_frame=frames.append))
    told = result.explanation
    [sight] = told.sights
    seen = "summe" if asked.instruction else "def total(prices):"  # a rewrite's region alone
    assert seen in sight.before
    assert sight.after == ("" if instruction else "    return summe\n")
    offered = {(c.replacements[0].text, c.verdict, c.score) for c in result.candidates}
    assert offered <= {(a.text, a.verdict, a.score) for a in told.attempts}
    drafts = [a.draft for a in told.attempts]
    assert drafts == sorted(drafts)
    assert {f.draft for f in frames} == {*drafts} == {*range(drafts[-1] + 1)}
    assert len({a.how for a in told.attempts}) == len({*drafts})
    calls = [a.forward_calls for a in told.attempts]
    assert calls == sorted(calls)
    assert calls[-1] == result.stats.forward_calls
    plain = editor.edit(replace(asked, explain=False), Control())
    assert (plain.candidates, plain.explanation) == (result.candidates, None)
