"""DiffusionGemma against transformers' own class: logits, the published loop, real sizes."""

import json
from itertools import islice

import published
import published_gemma
import pytest
import torch

from engine.catalogue import resolve_local
from engine.config import EFFORTS, Precision
from engine.control import Control
from engine.errors import CheckpointError, ConfigError
from engine.families import NAMED
from engine.fillers import filler_of
from engine.folder import CheckpointFolder
from engine.gemma import DiffusionGemma
from engine.loading import load_model, network_of
from engine.prefix_cache import PrefixCache
from engine.protocol import Effort
from engine.recognition import family_of
from engine.shape import size_of
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer
from engine.tries import Ask
from engine.weights import FloatWeights

FAMILY = NAMED["diffusion-gemma"]
CONTEXT = [5, 80, 3, 17, 42, 42, 250, 9, 61, 33, 70]
LENGTH = published_gemma.CONFIG["canvas_length"]
CANVAS = [(37 * i + 11) % published.VOCAB for i in range(LENGTH)]


def opened(folder):
    files = CheckpointFolder(folder, family_of(folder))
    return network_of(FloatWeights(files.config, files)), files


@pytest.fixture(scope="module")
def base():
    return published_gemma.reference()


@pytest.fixture
def model(tmp_path, base):
    return opened(published.write(tmp_path, "diffusion-gemma", base, shards=2))[0]


@pytest.mark.parametrize("length", [1, 5, 6, 7, len(CONTEXT)])  # its window is of 6
def test_a_context_and_the_canvas_behind_it(base, model, close, length):
    context, canvas = torch.tensor([CONTEXT[:length]]), torch.tensor([CANVAS])
    first = base(input_ids=context, decoder_input_ids=canvas)
    assert first.logits.std() > 0.1
    cache = model.new_cache(length + LENGTH)
    close(model.encode(context[0].tolist(), cache), first.encoder_last_hidden_state[0])
    cache.keep(length)
    close(model.denoise(canvas[0], None, cache), first.logits[0])
    second = base(
        input_ids=context, decoder_input_ids=canvas, self_conditioning_logits=3 * first.logits
    )
    assert (second.logits - first.logits).abs().max() > 0.01
    close(model.denoise(canvas[0], 3 * first.logits[0], cache), second.logits[0])


@pytest.mark.parametrize(
    ("precision", "near"),
    [(Precision.BFLOAT16, 0.99), (Precision.INT8, 0.98), (Precision.INT4, 0.9)],
)
def test_every_precision_is_near(tmp_path, base, monkeypatch, precision, near):
    context, canvas = torch.tensor([CONTEXT]), torch.tensor([CANVAS])
    expected = base(input_ids=context, decoder_input_ids=canvas).logits[0]
    folder = published.write(tmp_path, "diffusion-gemma", base, dtype=torch.bfloat16)
    monkeypatch.setenv("DIFFILL_PRECISION", precision)
    model, _ = load_model(resolve_local(str(folder)), lambda message, share: None, None)
    cache = model.new_cache(len(CONTEXT) + LENGTH)
    model.encode(CONTEXT, cache)
    cache.keep(len(CONTEXT))
    got = model.denoise(canvas[0], None, cache)
    assert near < torch.cosine_similarity(got, expected, dim=-1).median() < 1 - 1e-6


def test_a_context_is_the_same_read_in_parts(model, close):
    whole, parts = model.new_cache(len(CONTEXT)), model.new_cache(len(CONTEXT))
    hidden = model.encode(CONTEXT, whole)
    for start, end in [(0, 3), (3, 4), (4, 10), (10, 11)]:
        close(model.encode(CONTEXT[start:end], parts), hidden[start:end])
        parts.keep(end - start)


def test_states_of_a_few_tokens_are_those_of_all(model, close):
    ids = list(range(1, 12))
    whole = model.encode(ids, model.new_cache(20))
    close(model.encode(ids, model.new_cache(20), only=[7, 2]), whole[[7, 2]])


class Watcher:
    """Keeps the drafts that the published loop shows."""

    def __init__(self):
        self.drafts = []

    def put(self, value):
        pass

    def put_draft(self, value):
        self.drafts.append(value[0].tolist())

    def end(self):
        pass


@pytest.mark.parametrize("loud", [1.0, 3.0])  # goes on to the end, settles
def test_the_published_loop(tmp_path, loud):
    lengths = set()
    for seed in range(3):
        base = published_gemma.reference(seed, loud)
        model, files = opened(published.write(tmp_path / str(seed), "diffusion-gemma", base))
        watcher = Watcher()
        torch.manual_seed(seed)
        ids = base.generate(
            torch.tensor([CONTEXT]), streamer=watcher, max_new_tokens=2 * LENGTH
        ).sequences[0]

        tokenizer, layout = Tokenizer(files.vocabulary()), FAMILY.layout
        filler = filler_of(model, tokenizer, layout, None, PrefixCache(model))
        filler._barred[:] = False  # the published loop answers with any token
        cache = model.new_cache(len(CONTEXT) + 2 * LENGTH)
        model.encode(CONTEXT, cache)
        cache.keep(len(CONTEXT))
        generator = torch.Generator().manual_seed(seed)
        drafts, text = [], list(CONTEXT)
        for _ in range(2):
            steps = list(filler.canvas(cache, Control(), generator))
            drafts += [step.guess.tolist() for step in steps]
            text += drafts[-1]
            model.encode(drafts[-1], cache)
            cache.keep(LENGTH)
            lengths.add(len(steps))
        assert drafts == watcher.drafts
        assert text == ids.tolist()
    assert lengths == {48} if loud == 1.0 else min(lengths) < 48


def test_a_draft_is_that_of_its_seed_whatever_came_before(tmp_path):
    base = published_gemma.reference(loud=3.0)  # whose sure tokens are text, not ends
    model, files = opened(published.write(tmp_path, "diffusion-gemma", base))
    tokenizer = Tokenizer(files.vocabulary())
    filler = filler_of(model, tokenizer, FAMILY.layout, None, PrefixCache(model))
    shape = HoleShape("def f(x):\n    y = ", "\n    return y\n")

    def drafts(seed, count):
        tries = filler.tries(shape, Ask(EFFORTS[Effort.QUICK], 2 * LENGTH, seed), Control())
        return [(d.text, d.tokens, d.score) for d in islice(tries, count)]

    first, second = drafts(7, 2)
    assert drafts(8, 1) == [second] != [first]
    assert drafts(7, 1) == [first]
    assert first[1] == second[1] == 2 * LENGTH, "two canvases, each with no end in it"


def test_files_of_later_transformers_write_layers_one_by_one(tmp_path, base, close):
    canvas = torch.tensor([CANVAS])
    expected = base(input_ids=torch.tensor([CONTEXT]), decoder_input_ids=canvas).logits[0]
    base.save_pretrained(tmp_path / "saved")
    config = json.loads((tmp_path / "saved" / "config.json").read_text("utf-8"))
    assert "per_layer_config" in config["text_config"]
    folder = published.write(tmp_path, "diffusion-gemma", base, change=config)
    model, _ = opened(folder)
    cache = model.new_cache(len(CONTEXT) + LENGTH)
    model.encode(CONTEXT, cache)
    cache.keep(len(CONTEXT))
    close(model.denoise(canvas[0], None, cache), expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layer_types": ["full_attention"]}, r"layer_types is \['full_attention'\]"),
        ({"layer_types": ["full_attention", "other"] * 2}, "layer_types is"),
        ({"layer_types": 4}, "layer_types is 4"),
        ({"rope_parameters": None}, "rope_parameters is None, not of both kinds"),
        ({"rope_parameters": {"full_attention": 1}}, "not of both kinds"),
        ({"final_logit_softcapping": None}, "final_logit_softcapping is missing"),
        ({"per_layer_config": 3, "global_head_dim": None}, "head_dim is missing"),
        ({"num_global_key_value_heads": 3}, "not a multiple of num_kv_heads 3"),
        ({"global_head_dim": None}, "head_dim is missing"),
        ({"sliding_window": "6"}, "sliding_window is '6', not a number above 0"),
        ({"use_bidirectional_attention": "all"}, "use_bidirectional_attention is 'all'"),
        ({"moe_intermediate_size": 20}, r"gate_up_proj' has size \(8, 48, 48\).* \(8, 40, 48\)"),
        ({"num_experts": 7}, r"router.proj.weight' has size \(8, 48\).* asks for \(7, 48\)"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(tmp_path, base, change, said):
    text = published_gemma.TEXT | change
    folder = published.write(tmp_path, "diffusion-gemma", base, change={"text_config": text})
    with pytest.raises((CheckpointError, ConfigError), match=said):
        opened(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"canvas_length": None}, "canvas_length is missing"),
        ({"text_config": [1]}, "text_config is missing"),
    ],
)
def test_what_stands_beside_the_text_is_needed_too(tmp_path, base, change, said):
    with pytest.raises(CheckpointError, match=said):
        opened(published.write(tmp_path, "diffusion-gemma", base, change=change))


def test_the_real_sizes_have_a_place_for_every_tensor():
    (known,) = FAMILY.models
    config = FAMILY.shape.config(known.config, tied=known.tied)
    stored = FAMILY.shape.stored(config)
    text = known.config["text_config"]
    kinds = ["full_attention" if i % 6 == 5 else "sliding_attention" for i in range(30)]
    with torch.device("meta"):
        real = type(published_gemma.reference())(
            published_gemma.built(
                {"canvas_length": 256}, text | {"layer_types": kinds, "pad_token_id": 0}
            )
        )
    expected = {
        name: tuple(tensor.shape)
        for name, tensor in published_gemma.tensors_of(real).items()
        if not name.startswith(FAMILY.shape.ignored)
    }
    assert {found.name: found.size for found in stored.values()} == expected
    assert len(expected) == 1047 - 356  # what the published files hold, without the eyes
    tensors = {name: torch.empty(size_of(name, config), device="meta") for name in stored}
    built = network_of(FloatWeights(config, tensors))
    assert isinstance(built, DiffusionGemma)
    assert built.head.weight.shape == (262144, 2816)
