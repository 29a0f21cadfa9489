"""The shapes that published checkpoints come in, as data. Torch-free."""

from __future__ import annotations

from engine.config import Activation
from engine.shape import SIZES, Shape


def _theirs(*ours: str) -> dict[str, str]:
    return {name: f"model.{name}" for name in ours}


_ATTENTION = tuple(f"self_attn.{p}_proj.weight" for p in "qkvo")
_MLP = tuple(f"mlp.{p}_proj.weight" for p in ("gate", "up", "down"))
_NORMS = ("input_layernorm.weight", "post_attention_layernorm.weight")
_OUTER = _theirs("embed_tokens.weight", "norm.weight") | {"lm_head.weight": "lm_head.weight"}
_QK_NORM = _theirs(*(f"layers.{{}}.self_attn.{p}_norm.weight" for p in "qk"))
_LLAMA = _OUTER | _theirs(*(f"layers.{{}}.{part}" for part in (*_NORMS, *_ATTENTION, *_MLP)))


LLAMA = Shape(
    fixed={"hidden_act": "silu", "attention_bias": False, "mlp_bias": False},
    tensors=_LLAMA,
)
QWEN2 = Shape(
    fixed={"hidden_act": "silu", "use_sliding_window": False},
    tensors=_LLAMA | _theirs(*(f"layers.{{}}.self_attn.{p}_proj.bias" for p in "qkv")),
)
QWEN3 = Shape(
    fixed={"hidden_act": "silu", "use_sliding_window": False, "attention_bias": False},
    tensors=_LLAMA | _QK_NORM,
)
GEMMA = Shape(
    given={"activation": Activation.GELU},
    usual={"hidden_activation": "gelu_pytorch_tanh", "rope_theta": 10000.0},
    # Its first files say "gelu", and mean the approximation.
    fixed={"hidden_activation": ("gelu_pytorch_tanh", None), "attention_bias": False},
    tensors=_LLAMA,
    norms_less_one=True,
    scales_embedding=True,
)
STARCODER2 = Shape(
    sizes=SIZES | {"norm_eps": "norm_epsilon"},
    given={"activation": Activation.GELU, "gated": False, "layer_norm": True},
    usual={"sliding_window": None, "rope_theta": 10000.0, "norm_epsilon": 1e-5},
    fixed={"hidden_act": "gelu_pytorch_tanh", "use_bias": True},
    tensors={
        ours.format("{}", kind=kind): theirs.format("{}", kind=kind)
        for kind in ("weight", "bias")
        for ours, theirs in (
            _theirs("norm.{kind}")
            | _theirs(
                *(
                    f"layers.{{}}.{part.removesuffix('weight')}{{kind}}"
                    for part in (*_NORMS, *_ATTENTION)
                )
            )
            | {
                "layers.{}.mlp.up_proj.{kind}": "model.layers.{}.mlp.c_fc.{kind}",
                "layers.{}.mlp.down_proj.{kind}": "model.layers.{}.mlp.c_proj.{kind}",
            }
        ).items()
    }
    | _OUTER,
)
_GPT2_PARTS = {
    "input_layernorm": "ln_1",
    "post_attention_layernorm": "ln_2",
    **{f"self_attn.{p}_proj": "attn.c_attn" for p in "qkv"},
    "self_attn.o_proj": "attn.c_proj",
    "mlp.up_proj": "mlp.c_fc",
    "mlp.down_proj": "mlp.c_proj",
}
GPT2 = Shape(
    sizes={
        "num_layers": "n_layer",
        "width": "n_embd",
        "num_heads": "n_head",
        "num_kv_heads": "n_head",
        "mlp_width": "n_inner",
        "vocab_size": "vocab_size",
        "norm_eps": "layer_norm_epsilon",
        "max_positions": "n_positions",
    },
    given={
        "activation": Activation.GELU,
        "gated": False,
        "layer_norm": True,
        "rotary_share": 0.0,
        "rope_theta": 1.0,
    },
    usual={"layer_norm_epsilon": 1e-5},
    fixed={
        "activation_function": "gelu_new",
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "add_cross_attention": False,
    },
    tensors={
        "embed_tokens.weight": "transformer.wte.weight",
        "embed_positions.weight": "transformer.wpe.weight",
        "norm.weight": "transformer.ln_f.weight",
        "norm.bias": "transformer.ln_f.bias",
        "lm_head.weight": "lm_head.weight",
        **{
            f"layers.{{}}.{ours}.{kind}": f"transformer.h.{{}}.{theirs}.{kind}"
            for ours, theirs in _GPT2_PARTS.items()
            for kind in ("weight", "bias")
        },
    },
    stacked=frozenset(f"transformer.h.{{}}.attn.c_attn.{kind}" for kind in ("weight", "bias")),
    transposed=True,
)
_EXPERT = _theirs(
    *(f"layers.{{}}.mlp.experts.{{e}}.{p}_proj.weight" for p in ("gate", "up", "down"))
)
LLADA_MOE = Shape(
    sizes=SIZES | {"mlp_width": "expert_intermediate_size"},
    experts={
        "count": "num_experts",
        "per_token": "num_experts_per_tok",
        "width": "expert_intermediate_size",
        "normalised": "norm_topk_prob",
    },
    fixed={
        "hidden_act": "silu",
        "attention_bias": False,
        "qk_layernorm": True,
        "clip_qkv": None,
        "shared_expert_intermediate_size": (None, 0, -1),
        "routed_scaling_factor": (None, 1, 1.0),
        "partial_rotary_factor": (1, 1.0, None),
    },
    tensors=_OUTER
    | _theirs(*(f"layers.{{}}.{part}" for part in (*_NORMS, *_ATTENTION, "mlp.gate.weight")))
    | _QK_NORM
    | _EXPERT,
)
QWEN3_MOE = Shape(
    experts={
        "count": "num_experts",
        "per_token": "num_experts_per_tok",
        "width": "moe_intermediate_size",
        "normalised": "norm_topk_prob",
    },
    fixed={
        "hidden_act": "silu",
        "use_sliding_window": False,
        "attention_bias": False,
        "decoder_sparse_step": 1,
        "mlp_only_layers": ([], None),
    },
    tensors=LLADA_MOE.tensors,
)
_LLADA2 = "model.layers.{}.attention."
LLADA2 = Shape(
    sizes=SIZES | {"rotary_share": "partial_rotary_factor"},
    experts={
        "count": "num_experts",
        "per_token": "num_experts_per_tok",
        "width": "moe_intermediate_size",
        "shared_width": "moe_intermediate_size",
        "first": "first_k_dense_replace",
        "groups": "n_group",
        "top_groups": "topk_group",
        "scale": "routed_scaling_factor",
        "sigmoid": "score_function",
        "normalised": "norm_topk_prob",
        "has_bias": "moe_router_enable_expert_bias",
        "capacity": "expert_capacity",  # LLaDA2.2's
        "block": "block_size",
    },
    usual={
        "score_function": "sigmoid",
        "norm_topk_prob": True,
        "moe_router_enable_expert_bias": True,
        "num_shared_experts": 1,
        "partial_rotary_factor": 0.5,
    },
    fixed={
        "hidden_act": "silu",
        "score_function": "sigmoid",
        "use_bias": False,
        "use_qkv_bias": False,
        "use_qk_norm": True,
        "norm_head": False,
    },
    tensors=_OUTER
    | {"embed_tokens.weight": "model.word_embeddings.weight"}
    | _theirs(*(f"layers.{{}}.{part}" for part in (*_NORMS, *_MLP)))
    | _theirs("layers.{}.mlp.gate.weight", "layers.{}.mlp.gate.expert_bias")
    | _theirs(*(f"layers.{{}}.mlp.shared_experts.{p}_proj.weight" for p in ("gate", "up", "down")))
    | _EXPERT
    | {f"layers.{{}}.self_attn.{p}_proj.weight": _LLADA2 + "query_key_value.weight" for p in "qkv"}
    | {
        "layers.{}.self_attn.o_proj.weight": _LLADA2 + "dense.weight",
        "layers.{}.self_attn.q_norm.weight": _LLADA2 + "query_layernorm.weight",
        "layers.{}.self_attn.k_norm.weight": _LLADA2 + "key_layernorm.weight",
    },
    stacked=frozenset({_LLADA2 + "query_key_value.weight"}),
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
