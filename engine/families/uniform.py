"""Families that make text of random tokens, asked through a prompt. Torch-free."""

from __future__ import annotations

from engine.families.entry import APACHE, OpenFamily, published
from engine.family import Chat, Uniform
from engine.gemma_shape import DIFFUSION_GEMMA

_26B = {
    "canvas_length": 256,
    "text_config": {
        "num_hidden_layers": 30,
        "hidden_size": 2816,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "num_global_key_value_heads": 2,
        "head_dim": 256,
        "global_head_dim": 512,
        "intermediate_size": 2112,
        "moe_intermediate_size": 704,
        "num_experts": 128,
        "top_k_experts": 8,
        "vocab_size": 262144,
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": 262144,
        "sliding_window": 1024,
        "final_logit_softcapping": 30.0,
        "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            "full_attention": {
                "rope_type": "proportional",
                "rope_theta": 1e6,
                "partial_rotary_factor": 0.25,
            },
        },
    },
}

UNIFORM = (
    OpenFamily(
        name="diffusion-gemma",
        model_types=("diffusion_gemma",),
        classes=("DiffusionGemmaForBlockDiffusion",),
        shape=DIFFUSION_GEMMA,
        layout=Uniform(
            ends=("<eos>", "<turn|>"),
            prompt=Chat(
                system="<bos><|turn>system\n{}<turn|>\n",
                user="<|turn>user\n{}<turn|>\n",
                answer="<|turn>model\n",
            ),
        ),
        models=published(APACHE, _26B, "google/diffusiongemma-26B-A4B-it", tied=True),
        note="Cannot fill in place; its vision tower is left out.",
    ),
)
