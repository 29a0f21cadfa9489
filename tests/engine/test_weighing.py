from dataclasses import replace

import pytest
import tiny
import torch

from engine.adapter import load_adapter
from engine.config import EFFORTS, Decoding
from engine.context import laid_out
from engine.control import Control
from engine.errors import Cancelled
from engine.fill import Filler
from engine.prefix_cache import PrefixCache
from engine.protocol import Effort
from engine.stopping import HoleShape
from engine.tries import Ask, Weighs

EFFORT = EFFORTS[Effort.BALANCED]
BEFORE, BEHIND = "def f(x):\n    y = ", "\n    return y\n" + "# and so on\n" * 12
# The last but one has more rows than are read at once by the output, the last by the network.
TEXTS = ["x", "x + 1", "x * (" + "x + " * 20 + "1)", "x * (" + "x + " * 140 + "1)"]
SHAPE = HoleShape(BEFORE, BEHIND)


@pytest.fixture(params=["base", "adapter"])
def model(request, tmp_path):
    model = tiny.transformer()
    if request.param == "adapter":
        tensors = tiny.adapter_tensors(model.config)
        load_adapter(model, tiny.write_adapter(tmp_path / "a.safetensors", tensors), "base")
    return model


def filler_on(model, family=tiny.FAMILY):
    return Filler(model, tiny.tokenizer(), family, Decoding.VERIFIED, PrefixCache(model))


def logprobs(model, context, run, adapted):
    """Return what a model says behind each token of a run, run one by one."""
    cache = model.new_cache(len(context) + len(run))
    model.encode(context, cache)
    cache.keep(len(context))
    rows = []
    for token in run:
        rows.append(model.logits(model.encode([token], cache, adapted=adapted))[0])
        cache.keep(1)
    return torch.stack(rows).double().log_softmax(-1)


def defined(model, text, *, behind=BEHIND, fim=tiny.FAMILY.fim, seam=True):
    """Weigh a text by the definition."""
    tokenizer = tiny.tokenizer()
    before, text, behind = map(tokenizer.encode, (BEFORE, text, behind))
    context = laid_out(tokenizer, fim, before, behind)
    ends = [tokenizer.special(name) for name in tiny.FAMILY.ends]
    own = logprobs(model, context, [tokenizer.special(fim.middle), *text], model.has_adapter)
    weight = sum(own[i, token] for i, token in enumerate(text)) + own[-1, ends].logsumexp(0)
    weight = weight / (len(text) + 1)
    if seam:
        read = behind[:64]
        rows = logprobs(model, context[: len(before) + 1], [*text, *read[:-1]], False)
        weight += sum(rows[len(text) - 1 + i, token] for i, token in enumerate(read)) / 32
    return float(weight)


def test_a_text_is_weighed_with_its_end_and_what_stands_behind(model):
    filler = filler_on(model)
    assert isinstance(filler, Weighs)
    weights = filler.weights(SHAPE, TEXTS, EFFORT, Control())
    assert weights == pytest.approx([defined(model, text) for text in TEXTS], abs=1e-4)


def test_at_the_end_of_a_file_the_text_alone_counts(model):
    shape = replace(SHAPE, suffix="")
    weights = filler_on(model).weights(shape, TEXTS[:2], EFFORT, Control())
    expected = [defined(model, text, behind="", seam=False) for text in TEXTS[:2]]
    assert weights == pytest.approx(expected, abs=1e-4)


def test_what_was_read_first_is_not_read_again(model):
    fim = replace(tiny.FAMILY.fim, suffix_first=True)
    filler = filler_on(model, replace(tiny.FAMILY, fim=fim))
    weights = filler.weights(SHAPE, TEXTS, EFFORT, Control())
    expected = [defined(model, text, fim=fim, seam=False) for text in TEXTS]
    assert weights == pytest.approx(expected, abs=1e-4)


def test_weighing_changes_no_later_draft(model):
    def draft(filler):
        return next(filler.tries(SHAPE, Ask(EFFORT, 12), Control()))

    filler = filler_on(model)
    first = draft(filler)
    filler.weights(SHAPE, TEXTS, EFFORT, Control())
    assert draft(filler) == draft(filler_on(model)) == first


def test_a_cancel_stops_the_weighing(model):
    control = Control()
    control.cancel()
    with pytest.raises(Cancelled):
        filler_on(model).weights(SHAPE, TEXTS, EFFORT, control)
