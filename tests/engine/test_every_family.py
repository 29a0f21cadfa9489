"""Each family fills holes end to end: a tiny random checkpoint in its published form."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import published
import pytest

from engine.config import AT_ONCE, EFFORTS, Refresh
from engine.control import Control
from engine.editors import at_once_of
from engine.errors import CheckpointError, ConfigError
from engine.families import NAMED
from engine.family import Blocks, Family, InPlace, Uniform
from engine.loading import load_editor
from engine.protocol import EditRequest, Effort
from engine.stopping import HoleShape
from engine.tries import Ask
from grammars.span import Span, apply

TEXT = (
    "def total(prices):\r\n    summe = '😀'\r\n    return summe\r\n\r\n"
    "x = total([1])  # <|mask|>\r\n"
)
HOLES = (
    Span(TEXT.index("    summe"), TEXT.index("    return")),
    Span(TEXT.index("total(["), TEXT.index("  # <")),
)


@pytest.fixture(scope="module")
def editor_of(tmp_path_factory):
    made = {}

    def get(family):
        if family not in made:
            kind = published.FORMS[family][0]
            parent = tmp_path_factory.mktemp("model")
            folder = published.write(parent, family, published.reference(kind))
            made[family] = load_editor(str(folder), lambda message, share: None)
        return made[family]

    return get


def request(**options):
    return EditRequest(
        **{"text": TEXT, "spans": HOLES, "effort": Effort.QUICK, "max_tokens": 12} | options
    )


@pytest.mark.parametrize("family", published.FORMS)
def test_holes_are_filled_and_nothing_else_is_touched(editor_of, family):
    frames = []
    control = Control(on_frame=frames.append)
    result = editor_of(family).edit(request(), control)
    (candidate,) = result.candidates
    assert [r.span for r in candidate.replacements] == list(HOLES)
    assert all(text not in r.text for r in candidate.replacements for text in published.SPECIAL)
    after = apply(TEXT, candidate.replacements)
    assert after.startswith("def total(prices):\r\n")
    assert after.endswith("# <|mask|>\r\n")
    assert 0 < control.steps <= control.forward_calls
    assert {frame.span for frame in frames} == {0, 1}
    again = editor_of(family).edit(request(), Control())
    assert [c.replacements for c in again.candidates] == [candidate.replacements]


@pytest.mark.parametrize("family", published.FORMS)
def test_requests_at_once_are_answered_as_one_after_the_other(editor_of, family):
    def edits(seed):
        asked = request(spans=HOLES[seed % 2 :], seed=seed, max_tokens=6)
        return [c.replacements for c in editor_of(family).edit(asked, Control()).candidates]

    expected = [edits(seed) for seed in range(3)]
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(edits, range(3))) == expected


@pytest.mark.parametrize(("family", "count"), [("qwen2.5-coder", AT_ONCE), ("dream", 1)])
def test_so_many_are_worked_on_at_once_as_it_pays(tmp_path, family, count):
    kind = published.FORMS[family][0]
    folder = published.write(tmp_path, family, published.reference(kind))
    assert at_once_of(str(folder)) == count


@pytest.mark.parametrize("family", published.FORMS)
def test_what_was_seen_and_tried_is_told_of_each_hole(editor_of, family):
    frames = []
    result = editor_of(family).edit(request(explain=True), Control(on_frame=frames.append))
    told = result.explanation
    assert sorted(sight.span for sight in told.sights) == [0, 1], "once each"
    assert {attempt.span for attempt in told.attempts} == {0, 1}
    assert all(attempt.draft >= 0 and attempt.how for attempt in told.attempts)
    made = {(attempt.span, attempt.draft) for attempt in told.attempts}
    assert made == {(frame.span, frame.draft) for frame in frames}
    for sight in told.sights:
        assert "def total(prices):" in sight.before and "# <|mask|>" in sight.after
        assert ("return" in sight.before) == (sight.span == 1) != ("return" in sight.after)
        assert sight.tokens > 0


@pytest.mark.parametrize("family", published.FORMS)
def test_a_hole_in_an_empty_file(editor_of, family):
    result = editor_of(family).edit(request(text="", spans=(Span(0, 0),)), Control())
    assert result.candidates


@pytest.mark.parametrize("family", published.FORMS)
def test_what_does_not_fit_is_refused(editor_of, family):
    with pytest.raises(ConfigError, match=r"may take [\d,]+ tokens, the model holds 2,048"):
        long = request(
            text="x = 1\n" * 2000,
            spans=(Span(6000, 6000),),
            effort=Effort.THOROUGH,
            max_tokens=1024,
        )
        editor_of(family).edit(long, Control())


@pytest.mark.parametrize("family", [f for f in published.FORMS if f != "qwen2.5-coder"])
def test_instructions_are_refused_where_no_chat_is_known(editor_of, family):
    with pytest.raises(ConfigError, match="rewrites nothing by instruction"):
        editor_of(family).edit(request(instruction="Shorten it."), Control())


@pytest.mark.parametrize("family", published.FORMS)
def test_a_tokenizer_without_the_familys_tokens_is_refused(tmp_path, family):
    kind = published.FORMS[family][0]
    folder = published.write(tmp_path, family, published.reference(kind))
    path = folder / ("tokenizer_config.json" if family == "dream" else "tokenizer.json")
    layout = NAMED[family].layout
    match layout:
        case Family(fim=fim):
            name = fim.middle
        case Blocks(ends=ends) | Uniform(ends=ends):
            name = ends[0]
        case InPlace(start=str(start)):
            name = start
        case InPlace():
            pytest.skip("its config.json names its tokens by number")
    path.write_text(
        path.read_text("utf-8").replace(json.dumps(name), json.dumps("<other>")), "utf-8"
    )
    with pytest.raises(CheckpointError, match="has no special token"):
        load_editor(str(folder), lambda message, share: None)


def tries(editor, limit, **options):
    control = Control(**options)
    shape = HoleShape("def f(x):\n    return ", "\n", single_line=True)
    return list(editor._filler.tries(shape, Ask(EFFORTS[Effort.QUICK], limit), control)), control


def test_in_place_lengths_are_tried_where_the_model_tells_no_end(editor_of):
    drafts, control = tries(editor_of("dream"), 12)
    assert len(drafts) == 4  # 2, 4, 8 and 12 masks, the likeliest first
    assert sorted(d.tokens for d in drafts) == [2, 4, 8, 12]
    assert control.forward_calls == control.steps + 4  # a look at each length


def test_in_place_the_canvas_grows_until_there_is_an_end(editor_of):
    frames = []
    drafts, control = tries(editor_of("llada"), 70, on_frame=frames.append)
    assert len(drafts) == 3  # of canvases of 32, 64 and 16 tokens at first
    lengths = [len(frame.tokens) for frame in frames]
    assert max(lengths) <= 70
    assert control.forward_calls == control.steps == len(frames)


def test_a_try_does_not_depend_on_the_one_before(editor_of, monkeypatch):
    editor = editor_of("dreamon")
    keeping = Refresh(every=1000, changed=1.0, vicinity=0)
    effort = replace(EFFORTS[Effort.BALANCED], refresh=keeping)
    shape = HoleShape("def f(x):\n    y = x\n    return ", "\n\n\ndef g():\n    pass\n")

    def drafts():
        tries = editor._filler.tries(shape, Ask(effort, 24), Control())
        return [(draft.text, draft.score) for draft in tries]

    *_, last = drafts()
    monkeypatch.setattr("engine.resizing._STARTS", (24,))
    assert drafts() == [last]
