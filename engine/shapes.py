"""How published checkpoints name the sizes and tensors of our one transformer. Torch-free.

A shape is data: adding a family of a known shape adds no code. Tensors have "our" names, which are
those of Qwen2 and Llama without `model.`, and "their" names, which are those of the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from engine.config import ModelConfig
from engine.errors import CheckpointError

_SIZES = {
    "num_layers": "num_hidden_layers",
    "width": "hidden_size",
    "num_heads": "num_attention_heads",
    "num_kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "mlp_width": "intermediate_size",
    "vocab_size": "vocab_size",
    "rope_theta": "rope_theta",
    "norm_eps": "rms_norm_eps",
    "max_positions": "max_position_embeddings",
}
_NUMBERS = {field.name: float if field.type == "float" else int for field in fields(ModelConfig)}


def _theirs(*ours: str) -> dict[str, str]:
    return {name: f"model.{name}" for name in ours}


_LAYER = (
    "input_layernorm.weight",
    "post_attention_layernorm.weight",
    *(f"self_attn.{p}_proj.weight" for p in "qkvo"),
    *(f"mlp.{p}_proj.weight" for p in ("gate", "up", "down")),
)
_OUTER = _theirs("embed_tokens.weight", "norm.weight") | {"lm_head.weight": "lm_head.weight"}
_LLAMA = _OUTER | _theirs(*(f"layers.{{}}.{part}" for part in _LAYER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One way of writing a checkpoint.

    `sizes` maps fields of `ModelConfig` to keys of `config.json`, `fixed` gives the values that
    some keys have where they are present, `tensors` maps our names to theirs, {} the layer.
    """

    sizes: Mapping[str, str]
    fixed: Mapping[str, Any]
    tensors: Mapping[str, str]

    def config(self, data: Mapping[str, Any], *, tied: bool) -> ModelConfig:
        """Read the sizes out of a `config.json`.

        Raises:
            CheckpointError: naming the key that is missing, of another type, or not supported.
        """
        # Files of transformers 5 keep what concerns rotary positions in a table of its own.
        rotary = data.get("rope_parameters") or data.get("rope_scaling") or {}
        if not isinstance(rotary, Mapping):
            raise CheckpointError(f"config.json: its rope_parameters are {rotary!r}, not a table")
        kind = rotary.get("rope_type", rotary.get("type", "default"))
        if kind != "default":
            raise CheckpointError(f"config.json: rotary positions of type {kind!r} are not known")
        known = (
            {"rope_theta": rotary["rope_theta"]} | dict(data) if "rope_theta" in rotary else data
        )
        for key, value in self.fixed.items():
            if known.get(key, value) != value:
                raise CheckpointError(
                    f"config.json: {key} is {known[key]!r}, only {value!r} is supported"
                )
        found: dict[str, Any] = {field: known.get(key) for field, key in self.sizes.items()}
        if found["num_kv_heads"] is None:
            found["num_kv_heads"] = found["num_heads"]
        if found.get("head_dim") is None and all(
            type(found[name]) is int and found[name] > 0 for name in ("width", "num_heads")
        ):
            found["head_dim"] = found["width"] // found["num_heads"]
        for field, value in found.items():
            wanted, key = _NUMBERS[field], self.sizes.get(field, field)
            if value is None:
                raise CheckpointError(f"config.json: {key} is missing")
            if isinstance(value, bool) or not isinstance(value, (int, wanted)) or not value > 0:
                raise CheckpointError(f"config.json: {key} is {value!r}, not a number above 0")
            found[field] = wanted(value)
        qk_norm = "layers.{}.self_attn.q_norm.weight" in self.tensors
        return ModelConfig(**found, tied_embedding=tied, qk_norm=qk_norm)

    def names(self, config: ModelConfig) -> dict[str, str]:
        """Return their name for each of our tensors."""
        found: dict[str, str] = {}
        for ours, theirs in self.tensors.items():
            numbers = range(config.num_layers) if "{}" in ours else range(1)
            found |= {ours.format(i): theirs.format(i) for i in numbers}
        if config.tied_embedding:
            found["lm_head.weight"] = found["embed_tokens.weight"]
        return found


def size_of(ours: str, config: ModelConfig) -> tuple[int, ...]:
    """Return the size of one of our tensors."""
    part, kind = ours.split(".")[-2:]
    heads, kv_heads = (n * config.head_dim for n in (config.num_heads, config.num_kv_heads))
    rows = {"q_proj": heads, "k_proj": kv_heads, "v_proj": kv_heads, "o_proj": config.width}
    rows |= {"gate_proj": config.mlp_width, "up_proj": config.mlp_width, "down_proj": config.width}
    if part in ("embed_tokens", "lm_head"):
        return config.vocab_size, config.width
    if part in ("q_norm", "k_norm"):
        return (config.head_dim,)
    if part not in rows:
        return (config.width,)
    columns = {"o_proj": heads, "down_proj": config.mlp_width}.get(part, config.width)
    return (rows[part],) if kind == "bias" else (rows[part], columns)


LLAMA = Shape(
    sizes=_SIZES,
    fixed={"hidden_act": "silu", "attention_bias": False, "mlp_bias": False},
    tensors=_LLAMA,
)
QWEN2 = Shape(
    sizes=_SIZES,
    fixed={"hidden_act": "silu", "use_sliding_window": False},
    tensors=_LLAMA | _theirs(*(f"layers.{{}}.self_attn.{p}_proj.bias" for p in "qkv")),
)
QWEN3 = Shape(
    sizes=_SIZES,
    fixed={"hidden_act": "silu", "use_sliding_window": False, "attention_bias": False},
    tensors=_LLAMA | _theirs(*(f"layers.{{}}.self_attn.{p}_norm.weight" for p in "qk")),
)
_BLOCK = "model.transformer.blocks.{}."
LLADA = Shape(
    sizes={
        "num_layers": "n_layers",
        "width": "d_model",
        "num_heads": "n_heads",
        "num_kv_heads": "n_kv_heads",
        "mlp_width": "mlp_hidden_size",
        "vocab_size": "embedding_size",
        "rope_theta": "rope_theta",
        "norm_eps": "rms_norm_eps",
        "max_positions": "max_sequence_length",
    },
    fixed={
        "activation_type": "silu",
        "block_type": "llama",
        "layer_norm_type": "rms",
        "rope": True,
        "alibi": False,
        "include_bias": False,
        "include_qkv_bias": False,
        "attention_layer_norm": False,
        "input_emb_norm": False,
        "scale_logits": False,
    },
    tensors={
        "embed_tokens.weight": "model.transformer.wte.weight",
        "norm.weight": "model.transformer.ln_f.weight",
        "lm_head.weight": "model.transformer.ff_out.weight",
        "layers.{}.input_layernorm.weight": _BLOCK + "attn_norm.weight",
        "layers.{}.post_attention_layernorm.weight": _BLOCK + "ff_norm.weight",
        "layers.{}.self_attn.q_proj.weight": _BLOCK + "q_proj.weight",
        "layers.{}.self_attn.k_proj.weight": _BLOCK + "k_proj.weight",
        "layers.{}.self_attn.v_proj.weight": _BLOCK + "v_proj.weight",
        "layers.{}.self_attn.o_proj.weight": _BLOCK + "attn_out.weight",
        "layers.{}.mlp.gate_proj.weight": _BLOCK + "ff_proj.weight",
        "layers.{}.mlp.up_proj.weight": _BLOCK + "up_proj.weight",
        "layers.{}.mlp.down_proj.weight": _BLOCK + "ff_out.weight",
    },
)
