"""A tiny random DiffusionGemma in the form of the published one, eyes and all."""

import torch
from published_tokenizer import IDS, VOCAB
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

ROTARY = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 5000.0},
    "full_attention": {
        "rope_type": "proportional",
        "rope_theta": 9000.0,
        "partial_rotary_factor": 0.25,
    },
}
TEXT = {
    "vocab_size": VOCAB,
    "hidden_size": 48,
    "intermediate_size": 40,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_global_key_value_heads": 1,
    "head_dim": 16,
    "global_head_dim": 32,
    "num_experts": 8,
    "top_k_experts": 3,
    "moe_intermediate_size": 24,
    "sliding_window": 6,
    "max_position_embeddings": 2048,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "rope_parameters": ROTARY,
    "rms_norm_eps": 1e-6,
    "final_logit_softcapping": 30.0,
    "use_bidirectional_attention": "vision",
    "attention_bias": False,
    "hidden_activation": "gelu_pytorch_tanh",
    "pad_token_id": None,
    "eos_token_id": IDS["<eos>"],
    "bos_token_id": IDS["<bos>"],
}
VISION = {
    "model_type": "gemma4_vision",
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
CONFIG = {
    "model_type": "diffusion_gemma",
    "architectures": ["DiffusionGemmaForBlockDiffusion"],
    "canvas_length": 12,
    "tie_word_embeddings": True,
    "vision_config": VISION,
}


def reference(seed=0, loud=1.0):
    """A random model of transformers; `loud` makes it sure of three tokens, so that it settles.

    Its numbers are small: with larger ones the loop, which feeds logits back, would make every
    rounding ten times as large at each step.
    """
    torch.manual_seed(seed)
    model = DiffusionGemmaForBlockDiffusion(built(CONFIG, TEXT)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            mean = 1.0 if "norm" in name or "scale" in name else 0.0
            if name.endswith(("q_norm.weight", "k_norm.weight")):
                mean = 0.3
            parameter.normal_(mean, 0.1)
        for name, buffer in model.named_buffers():
            if name.endswith("layer_scalar"):  # of context and canvas, each its own
                buffer.normal_(1.0, 0.1)
        model.model.decoder.norm.weight.mul_(4)
        model.model.decoder.embed_tokens.weight[60:63] *= loud
    return model.requires_grad_(False)


def built(config, text):
    """Transformers' own configuration, of which it changes what it is given."""
    text = {**text, "layer_types": list(text["layer_types"])}
    sizes = {key: value for key, value in config.items() if key != "architectures"}
    return DiffusionGemmaConfig(text_config=text, **sizes | {"vision_config": dict(VISION)})


def tensors_of(model):
    """The model's tensors as its files name them: shared ones are the canvas' own."""
    return {
        name: tensor.clone()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
        and (not name.startswith("model.encoder.language_model.") or name.endswith("layer_scalar"))
    }
