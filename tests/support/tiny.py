"""Random models of a few thousand weights: built by transformers, run by the engine."""

import gguf
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from engine.config import ModelConfig
from engine.families import NAMED
from engine.model import Transformer
from engine.tokenizer import Tokenizer, Vocabulary
from engine.weights import PROJECTIONS, FloatWeights

FAMILY = NAMED["qwen2.5-coder"].layout
SPECIAL = tuple(sorted({*FAMILY.ends, "<|im_start|>"}))
ARCHITECTURES = {
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "llama": (LlamaConfig, LlamaForCausalLM),
}


def byte_characters():
    """GPT-2's stand-ins for the bytes 0 to 255."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]


def vocabulary(merges=(), special=SPECIAL):
    tokens = [*byte_characters(), *(merge.replace(" ", "") for merge in merges), *special]
    return Vocabulary(tokens, list(merges), {name: tokens.index(name) for name in special})


# What `write_gguf` gives a model: one token more, which its merge makes.
GGUF_VOCAB = len(vocabulary(["Ġ Ġ"]).tokens)


def tokenizer():
    return Tokenizer(vocabulary())


def reference(architecture="qwen2", *, seed=0, tied=False, vocab_size=None, width=48):
    """A model of transformers with every parameter random, norms and biases too."""
    config_type, model_type = ARCHITECTURES[architecture]
    torch.manual_seed(seed)
    model = model_type(
        config_type(
            vocab_size=vocab_size or len(vocabulary().tokens),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=4096,
            rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
            rms_norm_eps=2.0**-17,  # exact in float32, as GGUF keeps it
            tie_word_embeddings=tied,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=0,
        )
    ).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name else 0.0, 0.2)
    return model.requires_grad_(False)


def config_of(model):
    c = model.config
    return ModelConfig(
        num_layers=c.num_hidden_layers,
        width=c.hidden_size,
        num_heads=c.num_attention_heads,
        num_kv_heads=c.num_key_value_heads,
        head_dim=c.hidden_size // c.num_attention_heads,
        mlp_width=c.intermediate_size,
        vocab_size=c.vocab_size,
        rope_theta=c.rope_parameters["rope_theta"],
        norm_eps=c.rms_norm_eps,
        max_positions=c.max_position_embeddings,
        tied_embedding=c.tie_word_embeddings,
    )


def tensors_of(model):
    return {name.removeprefix("model."): t for name, t in model.state_dict().items()}


def transformer(model=None):
    model = model or reference()
    return Transformer(FloatWeights(config_of(model), tensors_of(model)))


def adapter_tensors(config, *, seed=0, rank=4):
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(shape, generator=generator) * 0.2

    heads, kv_heads = (n * config.head_dim for n in (config.num_heads, config.num_kv_heads))
    sizes = {"q_proj": (config.width, heads), "o_proj": (heads, config.width)}
    sizes |= dict.fromkeys(("k_proj", "v_proj"), (config.width, kv_heads))
    sizes |= dict.fromkeys(("gate_proj", "up_proj"), (config.width, config.mlp_width))
    sizes["down_proj"] = (config.mlp_width, config.width)
    tensors = {"mask_embedding": random(config.width)}
    for layer in range(config.num_layers):
        for projection in PROJECTIONS:
            inputs, outputs = sizes[projection.rpartition(".")[2]]
            stem = f"base_model.model.model.layers.{layer}.{projection}"
            tensors[f"{stem}.lora_A.weight"] = random(rank, inputs)
            tensors[f"{stem}.lora_B.weight"] = random(outputs, rank)
    return tensors


def write_adapter(path, tensors, *, base_sha256="base", scale=2.0):
    save_file(tensors, path, {"rank": "4", "scale": str(scale), "base_sha256": base_sha256})
    return path


def merged(model, tensors, scale=2.0):
    """A copy of `model` whose weights hold the adapter: W + B A scale."""
    copy = type(model)(model.config).eval().requires_grad_(False)
    state = {name: t.clone() for name, t in model.state_dict().items()}
    for name, down in tensors.items():
        if name.endswith("lora_A.weight"):
            up = tensors[name.replace("lora_A", "lora_B")]
            target = name.removeprefix("base_model.model.").replace("lora_A.", "")
            state[target] += up @ down * scale
    copy.load_state_dict(state)
    return copy


def write_gguf(
    path,
    model,
    *,
    omit=(),
    change=None,
    padding=0,
    architecture=None,
    quantize=(),
    quantize_to=gguf.GGMLQuantizationType.Q8_0,
    special=SPECIAL,
):
    """Write a model as llama.cpp's converter does; the last `padding` tokens are unused rows.

    `change` has tensors that stand for the model's own, or beside them, under the file's names.
    """
    change = dict(change or {})
    kind = architecture or model.config.model_type
    config = config_of(model)
    words = vocabulary(["Ġ Ġ"], special)
    writer = gguf.GGUFWriter(path, kind)
    writer.add_context_length(config.max_positions)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.num_layers)
    writer.add_feed_forward_length(config.mlp_width)
    writer.add_head_count(config.num_heads)
    writer.add_head_count_kv(config.num_kv_heads)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([*words.tokens, *(f"[PAD{i}]" for i in range(padding))])
    special = set(words.special.values())
    types = [3 if i in special else 1 for i in range(len(words.tokens))]
    writer.add_token_types(types + [5] * padding)
    writer.add_token_merges(list(words.merges))
    for name, tensor in tensors_of(model).items():
        data = tensor.clone()
        if model.config.model_type == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = config.num_heads if "q_proj" in name else config.num_kv_heads
            split = data.reshape(heads, 2, len(data) // heads // 2, -1)
            data = split.swapaxes(1, 2).reshape(data.shape)
        target = gguf_name(name)
        if target in omit or (name == "lm_head.weight" and config.tied_embedding):
            continue
        array = change.pop(target, data).contiguous().numpy()
        if target in quantize:
            quantised = gguf.quants.quantize(array, quantize_to)
            writer.add_tensor(target, quantised, raw_dtype=quantize_to)
        else:
            writer.add_tensor(target, array)
    for target, tensor in change.items():
        writer.add_tensor(target, tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def gguf_name(name):
    for ours, theirs in (
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("embed_tokens", "token_embd"),
        ("lm_head", "output"),
        ("layers.", "blk."),
    ):
        name = name.replace(ours, theirs)
    return name.replace("norm.weight", "output_norm.weight") if name == "norm.weight" else name
