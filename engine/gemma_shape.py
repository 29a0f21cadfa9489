"""How DiffusionGemma's checkpoints name sizes and tensors. Torch-free.

Context and canvas share all tensors but a scalar a layer; its files name them as the canvas' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.config import Activation, ModelConfig, Windowed
from engine.errors import CheckpointError
from engine.shape import SIZES, Shape, numbers

_NARROW, _WIDE = "sliding_attention", "full_attention"
_CAP = "final_logit_softcapping"
_WIDE_EVERY = 6  # layers, where the files do not tell which are


class GemmaShape(Shape):
    """A shape whose sizes are in a table of their own, and whose layers are of two kinds."""

    def config(self, data: Mapping[str, Any], *, tied: bool) -> ModelConfig:
        """Read the sizes out of a `config.json`.

        Raises:
            CheckpointError: naming the key that is missing, of another type, or not supported.
            ConfigError: if the sizes do not fit each other.
        """
        text = data.get("text_config")
        if not isinstance(text, Mapping):
            raise CheckpointError("config.json: text_config is missing")
        rotary = text.get("rope_parameters")
        narrow, wide = (_table(_table(rotary).get(kind)) for kind in (_NARROW, _WIDE))
        if not narrow or not wide:
            raise CheckpointError(f"config.json: rope_parameters is {rotary!r}, not of both kinds")
        flat = {**text, "rope_parameters": narrow, "canvas_length": data.get("canvas_length")}
        config = super().config(flat, tied=tied)
        for key, value in (("canvas_length", config.canvas_length), (_CAP, config.logit_cap)):
            if not value:
                raise CheckpointError(f"config.json: {key} is missing")
        return replace(config, windowed=_windowed(text, config, wide))


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _windowed(text: Mapping[str, Any], config: ModelConfig, rotary: Mapping[str, Any]) -> Windowed:
    if rotary.get("rope_type") != "proportional":
        raise CheckpointError(
            f"config.json: the rope_type of {_WIDE} is {rotary.get('rope_type')!r}, only "
            "'proportional' is supported"
        )
    last = config.num_layers - 1
    kinds = text.get("layer_types") or [
        _NARROW if (i + 1) % _WIDE_EVERY else _WIDE for i in range(last + 1)
    ]
    is_list = isinstance(kinds, list) and len(kinds) == config.num_layers
    if not is_list or any(kind not in (_NARROW, _WIDE) for kind in kinds):
        raise CheckpointError(f"config.json: layer_types is {kinds!r}")
    wide = tuple(i for i, kind in enumerate(kinds) if kind == _WIDE or i == last)
    # Since transformers 5.24 what differs from layer to layer is written layer by layer.
    own = _table(_table(text.get("per_layer_config")).get(str(last)))
    keys = {"window": "sliding_window", "rotary_share": "partial_rotary_factor"}
    found = {
        "window": text.get("sliding_window"),
        "num_kv_heads": own.get("num_key_value_heads", text.get("num_global_key_value_heads"))
        or config.num_kv_heads,
        "head_dim": own.get("head_dim", text.get("global_head_dim")),
        "rope_theta": rotary.get("rope_theta"),
        "rotary_share": rotary.get("partial_rotary_factor"),
    }
    return Windowed(wide=wide, **numbers(Windowed, found, keys))


_LAYER = "model.decoder.layers.{}."
_SAME = (
    *(f"self_attn.{p}_proj.weight" for p in "qkvo"),
    *(f"self_attn.{p}_norm.weight" for p in "qk"),
    "input_layernorm.weight",
    "post_attention_layernorm.weight",
    "pre_feedforward_layernorm.weight",
    "pre_feedforward_layernorm_2.weight",
    "post_feedforward_layernorm.weight",
    "post_feedforward_layernorm_1.weight",
    "post_feedforward_layernorm_2.weight",
)
_GATED = tuple(f"{p}_proj.weight" for p in ("gate", "up", "down"))

DIFFUSION_GEMMA = GemmaShape(
    sizes=SIZES | {"logit_cap": _CAP, "canvas_length": "canvas_length"},
    experts={
        "count": "num_experts",
        "per_token": "top_k_experts",
        "width": "moe_intermediate_size",
        "shared_width": "intermediate_size",
        "normalised": "normalised",
    },
    given={"activation": Activation.GELU},
    usual={"normalised": True},
    fixed={
        "hidden_activation": "gelu_pytorch_tanh",
        "attention_bias": False,
        "use_bidirectional_attention": ("vision", None),  # of pictures
    },
    tensors={
        "embed_tokens.weight": "model.decoder.embed_tokens.weight",
        "norm.weight": "model.decoder.norm.weight",
        "lm_head.weight": "lm_head.weight",
        "self_conditioning.pre_norm.weight": "model.decoder.self_conditioning.pre_norm.weight",
        **{f"self_conditioning.{p}": f"model.decoder.self_conditioning.{p}" for p in _GATED},
        **{f"layers.{{}}.{part}": _LAYER + part for part in _SAME},
        "layers.{}.canvas_scalar": _LAYER + "layer_scalar",
        "layers.{}.context_scalar": "model.encoder.language_model.layers.{}.layer_scalar",
        "layers.{}.mlp.gate.weight": _LAYER + "router.proj.weight",
        "layers.{}.mlp.gate.input_scale": _LAYER + "router.scale",
        "layers.{}.mlp.gate.expert_scale": _LAYER + "router.per_expert_scale",
        **{f"layers.{{}}.mlp.shared_experts.{p}": f"{_LAYER}mlp.{p}" for p in _GATED},
        "layers.{}.mlp.experts.{e}.gate_proj.weight": _LAYER + "experts.gate_up_proj",
        "layers.{}.mlp.experts.{e}.up_proj.weight": _LAYER + "experts.gate_up_proj",
        "layers.{}.mlp.experts.{e}.down_proj.weight": _LAYER + "experts.down_proj",
    },
    scales_embedding=True,
    ignored=("model.encoder.vision_tower.", "model.encoder.embed_vision."),
)
