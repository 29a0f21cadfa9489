"""Loads of the real sizes, without their weights: every tensor has a place.

The names and sizes that the files must have are those of transformers' own class, built on the meta
device from the published sizes, as the family's files name them. Nothing is allocated.
"""

import published
import pytest
import torch

from engine.families import FAMILIES, NAMED
from engine.family import Uniform
from engine.footprint import footprint
from engine.model import Transformer
from engine.shape import size_of
from engine.weights import FloatWeights

# DiffusionGemma's is in test_diffusion_gemma.py.
KNOWN = [
    (f, m) for f in FAMILIES for m in f.models if m.config and not isinstance(f.layout, Uniform)
]
# The families whose real sizes we do not know, so that nothing of them is dry-run.
UNKNOWN = {"illada", "tiny-a2d-llama"}

LLADA_KEYS = {
    "n_layers": "num_hidden_layers",
    "d_model": "hidden_size",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "mlp_hidden_size": "intermediate_size",
    "embedding_size": "vocab_size",
    "max_sequence_length": "max_position_embeddings",
    "expert_intermediate_size": "moe_intermediate_size",
}


def class_of(family, model):
    """The class of transformers with a published model's sizes, on the meta device."""
    kind = published.FORMS[family][0]
    config_type, model_type = published.CLASSES[kind]
    values = {LLADA_KEYS.get(key, key): value for key, value in model.config.items()}
    if kind == "grouped":
        values |= {"n_routed_experts": values.pop("num_experts"), "use_qk_norm": True}
    values.pop("rope_scaling", None)
    rotary = {"rope_type": "default", "rope_theta": values.pop("rope_theta", 1e4)}
    if kind == "grouped":
        rotary["partial_rotary_factor"] = 0.5
    if kind != "gpt2":
        values["rope_parameters"] = rotary
    ids = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    with torch.device("meta"):
        return model_type(config_type(**values | ids, tie_word_embeddings=model.tied))


@pytest.mark.parametrize(
    ("family", "model"), KNOWN, ids=[f"{m.repository.split('/')[1]}" for _, m in KNOWN]
)
def test_every_tensor_has_a_place(family, model):
    config = family.shape.config(model.config, tied=model.tied)
    stored = family.shape.stored(config)
    expected = {
        name: tuple(tensor.shape)
        for name, tensor in published.tensors_of(class_of(family.name, model), family.name).items()
    }
    assert {found.name: found.size for found in stored.values()} == expected

    tensors = {name: torch.empty(size_of(name, config), device="meta") for name in stored}
    built = Transformer(FloatWeights(config, tensors))
    assert built.head.weight.shape == (config.vocab_size, config.width)
    if config.experts is None:  # a router's choice needs numbers
        hidden = built.whole(torch.tensor([1, 2, 3], device="meta"))
        assert built.logits(hidden).shape == (3, config.vocab_size)


def test_what_is_not_known_is_said():
    unknown = {f.name for f in FAMILIES if not any(m.config for m in f.models)}
    assert unknown == UNKNOWN
    assert all(m.config for f in FAMILIES for m in f.models)


def test_the_flash_models_have_as_many_parameters_and_tensors_as_their_files():
    """Both numbers are public; the sizes of their halves were found by them."""
    family = NAMED["llada2.1"]
    for model in family.models[1:]:
        config = family.shape.config(model.config, tied=False)
        assert footprint(family.shape, config).parameters == 102_889_705_216
        assert len({found.name for found in family.shape.stored(config).values()}) == 24_161
