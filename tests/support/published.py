"""Tiny random checkpoints in the form of published ones: keys, tensor names, special tokens."""

import json

import published_gemma
import torch
from published_tokenizer import IDS, VOCAB, write_tokenizer
from published_tokenizer import SPECIAL as SPECIAL
from published_tokenizer import WORDS as WORDS
from safetensors.torch import save_file
from transformers import (
    GemmaConfig,
    GemmaForCausalLM,
    Glm4MoeConfig,
    Glm4MoeForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
    Starcoder2Config,
    Starcoder2ForCausalLM,
)

WIDTH, LAYERS, HEADS, KV_HEADS = 48, 2, 4, 2
CLASSES = {
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "llama": (LlamaConfig, LlamaForCausalLM),
    "scaled": (LlamaConfig, LlamaForCausalLM),  # positions divided by 4
    "gpt2": (GPT2Config, GPT2LMHeadModel),
    "starcoder2": (Starcoder2Config, Starcoder2ForCausalLM),
    "gemma": (GemmaConfig, GemmaForCausalLM),
    "moe": (Qwen3MoeConfig, Qwen3MoeForCausalLM),
    "moe_normalised": (Qwen3MoeConfig, Qwen3MoeForCausalLM),
    "grouped": (Glm4MoeConfig, Glm4MoeForCausalLM),  # GLM-4.5 routes as LLaDA2 does
}
MASK = {"mask_token_id": IDS["<|mask|>"]}
# family: (class, what its config.json has besides the sizes, the folder's name)
FORMS = {
    "dream": ("qwen2", {"model_type": "Dream"} | MASK, "Dream-v0"),
    "dream-coder": ("qwen2", {"model_type": "Dream"} | MASK, "Dream-Coder-v0-Instruct-7B"),
    "dreamon": ("qwen2", {"model_type": "Dream"} | MASK, "DreamOn-v0-7B"),
    "diffucoder": ("qwen2", {"model_type": "Dream"} | MASK, "DiffuCoder-7B-Base"),
    "open-dcoder": ("qwen2", {"model_type": "qwen2"}, "open-dcoder-0.5B"),
    "tiny-a2d-qwen2": ("qwen2", {"model_type": "a2d-qwen2"}, "tiny"),
    "tiny-a2d-qwen3": ("qwen3", {"model_type": "a2d-qwen3"}, "tiny"),
    "tiny-a2d-llama": ("llama", {"model_type": "a2d-llama"}, "tiny"),
    "coda": ("qwen3", {"model_type": "CoDA"} | MASK, "CoDA-v0"),
    "diffullama": ("llama", {"model_type": "llama", "mask_token_id": 35}, "diffullama"),
    "diffugpt": ("gpt2", {"model_type": "gpt2", "mask_token_id": 35}, "diffugpt-s"),
    "llada": ("llama", {"model_type": "llada", "mask_token_id": IDS["<|mdm_mask|>"]}, "LLaDA-8B"),
    "illada": (
        "llama",
        {
            "model_type": "llada",
            "mask_token_id": 5,
            "bos_token_id": IDS["<|startoftext|>"],
            "eos_token_id": IDS["<|endoftext|>"],
        },
        "iLLaDA-8B",
    ),
    "llada-moe": (  # its files say "llada", too
        "moe",
        {"model_type": "llada", "architectures": ["LLaDAMoEModelLM"], "qk_layernorm": True},
        "LLaDA-MoE-7B-A1B-Base",
    ),
    "tiny-a2d-qwen2-bd3lm": ("qwen2", {"model_type": "a2d-qwen2"}, "tiny-bd3lm-v0.1"),
    "tiny-a2d-qwen3-bd3lm": ("qwen3", {"model_type": "a2d-qwen3"}, "tiny-bd3lm-v0.1"),
    "fast-dllm": (
        "qwen2",
        {"model_type": "Fast_dLLM_Qwen", "architectures": ["Fast_dLLM_QwenForCausalLM"]}
        | {"bd_size": 32},
        "Fast_dLLM_v2_1.5B",
    ),
    "sdar": ("qwen3", {"model_type": "sdar", "architectures": ["SDARForCausalLM"]}, "SDAR-1.7B"),
    "sdar-moe": (
        "moe_normalised",
        {"model_type": "sdar_moe", "architectures": ["SDARMoeForCausalLM"]},
        "SDAR-30B-A3B",
    ),
    "stable-diffcoder": (
        "llama",
        {"model_type": "llama", "architectures": ["StableDiffcoderForCausalLM"]},
        "Stable-DiffCoder-8B-Base",
    ),
    "llada2": (
        "grouped",
        {"model_type": "llada2_moe", "architectures": ["LLaDA2MoeModelLM"]},
        "LLaDA2.0-mini",
    ),
    "llada2.1": (
        "grouped",
        {"model_type": "llada2_moe", "architectures": ["LLaDA2MoeModelLM"]},
        "LLaDA2.1-mini",
    ),
    "diffusion-gemma": (
        "gemma_diffusion",
        published_gemma.CONFIG | {"text_config": published_gemma.TEXT},
        "diffusiongemma-26B-A4B-it",
    ),
    "qwen2.5-coder": ("qwen2", {"model_type": "qwen2"}, "Qwen2.5-Coder-0.5B"),
    "starcoder2": ("starcoder2", {"model_type": "starcoder2"}, "starcoder2-3b"),
    "deepseek-coder": ("scaled", {"model_type": "llama"}, "deepseek-coder-1.3b-base"),
    "codegemma": ("gemma", {"model_type": "gemma"}, "codegemma-2b"),
}
TIED = {"gpt2", "gemma"}  # never otherwise
LLADA_NAMES = {
    "model.embed_tokens": "model.transformer.wte",
    "model.norm": "model.transformer.ln_f",
    "lm_head": "model.transformer.ff_out",
    "model.layers.": "model.transformer.blocks.",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ff_norm",
    "self_attn.o_proj": "attn_out",
    "self_attn.": "",
    "mlp.gate_proj": "ff_proj",
    "mlp.up_proj": "up_proj",
    "mlp.down_proj": "ff_out",
}


LLADA2_NAMES = {
    "embed_tokens": "word_embeddings",
    "self_attn.o_proj": "attention.dense",
    "self_attn.q_norm": "attention.query_layernorm",
    "self_attn.k_norm": "attention.key_layernorm",
    "e_score_correction_bias": "expert_bias",
}


def reference(kind, *, seed=0, tied=False, vocab_size=VOCAB, width=WIDTH):
    """A random model of transformers of the same shape."""
    if kind == "gemma_diffusion":
        return published_gemma.reference(seed)
    config_type, model_type = CLASSES[kind]
    torch.manual_seed(seed)
    tied = tied or kind in TIED
    experts = {"num_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 24}
    experts["norm_topk_prob"] = kind == "moe_normalised"
    rotary = {"rope_type": "default", "rope_theta": 5000.0}
    more = {
        "qwen3": {"head_dim": 16},  # not the width by the heads: as published
        "gemma": {"head_dim": 16},
        "scaled": {"rope_parameters": rotary | {"rope_type": "linear", "factor": 4.0}},
        "starcoder2": {"norm_epsilon": 1e-6, "sliding_window": 4096},
        "moe": experts,
        "moe_normalised": experts | {"head_dim": 16},
        "grouped": {
            "head_dim": 16,
            "n_routed_experts": 8,
            "n_shared_experts": 1,
            "num_experts_per_tok": 3,
            "moe_intermediate_size": 24,
            "n_group": 4,
            "topk_group": 2,
            "first_k_dense_replace": 1,
            "routed_scaling_factor": 2.5,
            "use_qk_norm": True,
            "rope_parameters": rotary | {"partial_rotary_factor": 0.5},
        },
    }.get(kind, {})
    names = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    if kind == "gpt2":
        sizes = {"n_embd": width, "n_layer": LAYERS, "n_head": HEADS, "n_positions": 2048}
    else:
        sizes = {
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": HEADS if kind in ("llama", "moe") else KV_HEADS,
            "max_position_embeddings": 2048,
            "rope_parameters": rotary,
            "rms_norm_eps": 1e-6,
        }
    values = sizes | {"vocab_size": vocab_size, "tie_word_embeddings": tied} | names | more
    model = model_type(config_type(**values)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name or "ln_" in name else 0.0, 0.2)
        for name, buffer in model.named_buffers():
            if name.endswith("e_score_correction_bias"):
                buffer.normal_(0.0, 0.2)
    return model.requires_grad_(False)


def tensors_of(model, family):
    """The model's tensors as the family's files name them."""
    if family == "diffusion-gemma":
        return published_gemma.tensors_of(model)
    found = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        if name.endswith("experts.gate_up_proj"):
            for e, (gate, up) in enumerate(t.chunk(2) for t in tensor):
                stem = name.removesuffix("gate_up_proj") + f"{e}."
                found |= {stem + "gate_proj.weight": gate, stem + "up_proj.weight": up}
        elif name.endswith("experts.down_proj"):
            stem = name.removesuffix("down_proj")
            found |= {f"{stem}{e}.down_proj.weight": down for e, down in enumerate(tensor)}
        else:
            found[name] = tensor
    if family in ("llada", "illada"):
        found = {renamed(name, LLADA_NAMES): tensor for name, tensor in found.items()}
    if FORMS[family][0] == "grouped":
        for i in range(model.config.num_hidden_layers):
            stem = f"model.layers.{i}.self_attn."
            parts = [found.pop(f"{stem}{p}_proj.weight") for p in "qkv"]
            found[f"model.layers.{i}.attention.query_key_value.weight"] = torch.cat(parts)
        found = {renamed(name, LLADA2_NAMES): tensor for name, tensor in found.items()}
    return {name: tensor.clone().contiguous() for name, tensor in found.items()}


def renamed(name, names):
    for ours, theirs in names.items():
        name = name.replace(ours, theirs)
    return name


def config_json(model, family):
    c, extra = model.config, FORMS[family][1]
    if family == "diffusion-gemma":
        return extra
    if family in ("llada", "illada"):
        return extra | {
            "activation_type": "silu",
            "alibi": False,
            "architectures": ["LLaDAModelLM"],
            "block_type": "llama",
            "d_model": c.hidden_size,
            "embedding_size": c.vocab_size,
            "eos_token_id": IDS["<|endoftext|>"],
            "include_bias": False,
            "include_qkv_bias": False,
            "layer_norm_type": "rms",
            "max_sequence_length": c.max_position_embeddings,
            "mlp_hidden_size": c.intermediate_size,
            "n_heads": c.num_attention_heads,
            "n_kv_heads": c.num_key_value_heads,
            "n_layers": c.num_hidden_layers,
            "rms_norm_eps": c.rms_norm_eps,
            "rope": True,
            "rope_theta": 5000.0,
            "vocab_size": c.vocab_size,
            "weight_tying": False,
        }
    if family == "diffugpt":
        names = ("n_embd", "n_layer", "n_head", "n_inner", "n_positions", "vocab_size")
        found = {name: getattr(c, name) for name in (*names, "layer_norm_epsilon")}
        return found | {"activation_function": "gelu_new"} | extra
    found = {
        "hidden_act": c.hidden_act,
        "hidden_size": c.hidden_size,
        "intermediate_size": c.intermediate_size,
        "max_position_embeddings": c.max_position_embeddings,
        "num_attention_heads": c.num_attention_heads,
        "num_hidden_layers": c.num_hidden_layers,
        "num_key_value_heads": c.num_key_value_heads,
        "rope_scaling": None,
        "rope_theta": 5000.0,
        "tie_word_embeddings": c.tie_word_embeddings,
        "use_sliding_window": False,
        "vocab_size": c.vocab_size,
    }
    kind = FORMS[family][0]
    if kind != "starcoder2":
        found["rms_norm_eps"] = c.rms_norm_eps
    return found | OTHER_KEYS.get(kind, lambda c: {})(c) | extra


OTHER_KEYS = {
    "qwen3": lambda c: {"head_dim": c.head_dim},
    "gemma": lambda c: {"head_dim": c.head_dim, "hidden_act": "gelu"},
    "scaled": lambda c: {"rope_scaling": {"type": "linear", "factor": 4.0}},
    "starcoder2": lambda c: {
        "norm_epsilon": c.norm_epsilon,
        "sliding_window": c.sliding_window,
        "use_bias": True,
    },
    "moe": lambda c: {
        "expert_intermediate_size": c.moe_intermediate_size,
        "shared_expert_intermediate_size": None,
        "num_experts": c.num_experts,
        "num_experts_per_tok": c.num_experts_per_tok,
        "intermediate_size": None,
        "dense_intermediate_size": c.intermediate_size,
    },
    "moe_normalised": lambda c: {
        "head_dim": c.head_dim,
        "moe_intermediate_size": c.moe_intermediate_size,
        "num_experts": c.num_experts,
        "num_experts_per_tok": c.num_experts_per_tok,
        "norm_topk_prob": True,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
    },
    "grouped": lambda c: {
        "head_dim": c.head_dim,
        "moe_intermediate_size": c.moe_intermediate_size,
        "num_experts": c.n_routed_experts,
        "num_shared_experts": c.n_shared_experts,
        "num_experts_per_tok": c.num_experts_per_tok,
        "n_group": c.n_group,
        "topk_group": c.topk_group,
        "first_k_dense_replace": c.first_k_dense_replace,
        "routed_scaling_factor": c.routed_scaling_factor,
        "norm_topk_prob": True,
        "score_function": "sigmoid",
        "moe_router_enable_expert_bias": True,
        "use_qk_norm": True,
        "use_qkv_bias": False,
        "use_bias": False,
        "partial_rotary_factor": 0.5,
    },
}


def write(parent, family, model, *, shards=1, dtype=torch.float32, change=None, omit=(), add=None):
    """Write a checkpoint folder; `change` overrides keys of config.json."""
    folder = parent / FORMS[family][2]
    folder.mkdir(parents=True)
    config = config_json(model, family) | (change or {})
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    write_tokenizer(folder, files="older" if family == "dream" else "json")
    tensors = {
        name: t.to(dtype) for name, t in tensors_of(model, family).items() if name not in omit
    } | (add or {})
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        return folder
    names = sorted(tensors)
    where = {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = names[i::shards]
        save_file({n: tensors[n] for n in part}, folder / file, {"format": "pt"})
        where |= dict.fromkeys(part, file)
    index = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    return folder


def read_all(model, ids):
    """Logits (T, V) of transformers' class where every token sees every other."""
    return read_in_blocks(model, ids, len(ids))


def read_in_blocks(model, ids, size):
    """The same where every token sees the blocks so far and all of its own."""
    block = torch.arange(len(ids)) // size
    bias = torch.zeros(len(ids), len(ids)).masked_fill(block[None] > block[:, None], -torch.inf)
    return model(torch.tensor([ids]), attention_mask=bias[None, None]).logits[0]
