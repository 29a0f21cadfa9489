from dataclasses import replace

import pytest
import tiny

from engine.adapter import load_adapter
from engine.errors import ConfigError
from engine.evaluation.cases import Case
from engine.evaluation.edits import EditTask
from engine.evaluation.modes import MODES
from engine.evaluation.predictors import Predictors
from engine.prefix_cache import PrefixCache
from engine.protocol import Effort
from grammars.span import Span


@pytest.fixture
def predictors(tmp_path):
    def make(*, adapted=True, raw=False):
        model = tiny.transformer()
        if adapted:
            tensors = tiny.adapter_tensors(model.config)
            load_adapter(model, tiny.write_adapter(tmp_path / "a.safetensors", tensors), "base")
        contexts = PrefixCache(model, 0)
        return Predictors(
            model, tiny.tokenizer(), tiny.FAMILY, contexts, Effort.QUICK, 0, 60.0, raw
        )

    return make


def case(truth="    return 1\n", *, single_line=True):
    return Case("s", "1", "t", "def f():\n", "\n", truth, "python", single_line)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_fills_and_counts(predictors, mode, raw):
    made = predictors(raw=raw).predict(mode, case())
    assert "\n" not in made.text.rstrip("\n")
    # A token a byte, and the line end is the end.
    assert made.tokens == len(made.text.removesuffix("\n").encode()) + 1
    assert made.steps >= 1
    assert made.context_calls == 1
    assert made.seconds > 0


def test_a_fill_is_the_same_again(predictors):
    for mode in MODES:
        first, second = (predictors().predict(mode, case()) for _ in range(2))
        assert (first.text, first.steps) == (second.text, second.steps)


def test_the_editor_tries_again_and_raw_does_not(predictors):
    """What a random model writes is no Python: the gate refuses it, and tries go on."""
    edited = predictors().predict("sequential", case(single_line=False))
    raw = predictors(raw=True).predict("sequential", case(single_line=False))
    assert not edited.offered
    assert raw.offered
    assert edited.steps > raw.steps


def test_the_oracle_canvas_has_the_true_length(predictors, monkeypatch):
    from engine import fill

    seen = []
    real = fill.Canvas.blank.__func__

    def blank(cls, length, void):
        seen.append(length)
        return real(cls, length, void)

    monkeypatch.setattr(fill.Canvas, "blank", classmethod(blank))
    truth = "    return 12\n"
    predictors().predict("oracle", case(truth))
    predictors().predict("fixed", case(truth))
    assert seen == [len(tiny.tokenizer().encode(truth)) + 1, 64]


def test_without_an_adapter_there_is_no_canvas(predictors):
    plain = predictors(adapted=False)
    for mode in ("parallel", "fixed", "probed", "oracle"):
        with pytest.raises(ConfigError, match="needs an adapter"):
            plain.of(mode)
    assert plain.predict("base", case()).steps >= 1


@pytest.mark.parametrize("raw", [False, True])
def test_a_rewrite_is_counted_and_stays_in_its_place(predictors, raw):
    task = EditTask("s", "dev", "1", "python", "a = 1\nb = 2\n", Span(6, 11), "Add.", "b = 3", "")
    first, second = (predictors(adapted=False, raw=raw).rewrite(task) for _ in range(2))
    assert (first.text, first.steps) == (second.text, second.steps)
    assert first.tokens == len(first.text.encode()) + 1
    assert first.steps >= 1
    assert raw <= first.offered


def test_a_rewrite_out_of_time_is_not_offered(predictors):
    task = EditTask("s", "dev", "1", "python", "a = 1\n", Span(0, 5), "Add.", "a = 2", "")
    made = replace(predictors(adapted=False), deadline_s=0.0).rewrite(task)
    assert (made.text, made.offered, made.steps) == ("", False, 0)
