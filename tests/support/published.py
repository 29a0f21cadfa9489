"""Tiny random checkpoints in the form of published ones: keys, tensor names, special tokens."""

import json

import tiny
import torch
from safetensors.torch import save_file
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

WIDTH, LAYERS, HEADS, KV_HEADS = 48, 2, 4, 2
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<|beginoftext|>",
    "<|startoftext|>",
    "<s>",
    "<|mask|>",
    "<|mdm_mask|>",
    "[MASK]",
    "<|expand|>",
)
MERGES = ["Ġ Ġ", "i n", "r e", "re t"]
WORDS = [*tiny.byte_characters(), *(m.replace(" ", "") for m in MERGES)]
IDS = {name: len(WORDS) + i for i, name in enumerate(SPECIAL)}
VOCAB = len(WORDS) + len(SPECIAL) + 3  # padding rows, as the real ones have
CLASSES = {
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "llama": (LlamaConfig, LlamaForCausalLM),
}
# family: (class, what its config.json has besides the sizes, the folder's name)
FORMS = {
    "dream": ("qwen2", {"model_type": "Dream", "mask_token_id": IDS["<|mask|>"]}, "Dream-v0"),
    "dream-coder": (
        "qwen2",
        {"model_type": "Dream", "mask_token_id": IDS["<|mask|>"]},
        "Dream-Coder-v0-Instruct-7B",
    ),
    "dreamon": (
        "qwen2",
        {"model_type": "Dream", "mask_token_id": IDS["<|mask|>"]},
        "DreamOn-v0-7B",
    ),
    "diffucoder": (
        "qwen2",
        {"model_type": "Dream", "mask_token_id": IDS["<|mask|>"]},
        "DiffuCoder-7B-Base",
    ),
    "open-dcoder": ("qwen2", {"model_type": "qwen2"}, "open-dcoder-0.5B"),
    "tiny-a2d-qwen2": ("qwen2", {"model_type": "a2d-qwen2"}, "tiny"),
    "tiny-a2d-qwen3": ("qwen3", {"model_type": "a2d-qwen3"}, "tiny"),
    "tiny-a2d-llama": ("llama", {"model_type": "a2d-llama"}, "tiny"),
    "coda": ("qwen3", {"model_type": "CoDA", "mask_token_id": IDS["<|mask|>"]}, "CoDA-v0"),
    "diffullama": ("llama", {"model_type": "llama", "mask_token_id": 35}, "diffullama"),
    "llada": ("llama", {"model_type": "llada", "mask_token_id": IDS["<|mdm_mask|>"]}, "LLaDA-8B"),
    "qwen2.5-coder": ("qwen2", {"model_type": "qwen2"}, "Qwen2.5-Coder-0.5B"),
}
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


def reference(kind, *, seed=0, tied=False, vocab_size=VOCAB):
    """A random model of transformers of the same shape."""
    config_type, model_type = CLASSES[kind]
    torch.manual_seed(seed)
    more = {"head_dim": 16} if kind == "qwen3" else {}  # not the width by the heads: as published
    model = model_type(
        config_type(
            vocab_size=vocab_size,
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS if kind == "llama" else KV_HEADS,
            max_position_embeddings=2048,
            rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
            rms_norm_eps=1e-6,
            tie_word_embeddings=tied,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=None,
            **more,
        )
    ).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name else 0.0, 0.2)
    return model.requires_grad_(False)


def tensors_of(model, family):
    """The model's tensors as the family's files name them."""
    found = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        if family == "llada":
            for ours, theirs in LLADA_NAMES.items():
                name = name.replace(ours, theirs)
        found[name] = tensor.contiguous()
    return found


def config_json(model, family):
    c, extra = model.config, FORMS[family][1]
    if family == "llada":
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
    found = {
        "hidden_act": "silu",
        "hidden_size": c.hidden_size,
        "intermediate_size": c.intermediate_size,
        "max_position_embeddings": c.max_position_embeddings,
        "num_attention_heads": c.num_attention_heads,
        "num_hidden_layers": c.num_hidden_layers,
        "num_key_value_heads": c.num_key_value_heads,
        "rms_norm_eps": c.rms_norm_eps,
        "rope_scaling": None,
        "rope_theta": 5000.0,
        "tie_word_embeddings": c.tie_word_embeddings,
        "use_sliding_window": False,
        "vocab_size": c.vocab_size,
    }
    if FORMS[family][0] == "qwen3":
        found["head_dim"] = c.head_dim
    return found | extra


def write_tokenizer(folder, *, files="json"):
    """Write tokenizer.json (as Qwen2's: NFC, added tokens), or the older two files (as Dream's)."""
    ids = {word: i for i, word in enumerate(WORDS)}
    if files == "older":
        (folder / "vocab.json").write_text(json.dumps(ids), "utf-8")
        (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES]) + "\n", "utf-8")
        added = {str(i): {"content": name, "special": True} for name, i in IDS.items()}
        settings = {"added_tokens_decoder": added, "tokenizer_class": "DreamTokenizer"}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
        return
    split = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    data = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": name, "special": "fim" not in name} | flags
            for name, i in IDS.items()
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": split},
                    "behavior": "Isolated",
                    "invert": False,
                },
                byte_level,
            ],
        },
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": ids,
            "merges": MERGES,
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(data), "utf-8")


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
    everything = torch.zeros(1, 1, len(ids), len(ids))
    return model(torch.tensor([ids]), attention_mask=everything).logits[0]
