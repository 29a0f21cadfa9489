"""Families that see all of a text at once. Torch-free."""

from __future__ import annotations

from dataclasses import replace

from engine.config import Scoring
from engine.families.entry import (
    APACHE,
    MIT,
    QWEN2_7B,
    QWEN2_HALF_B,
    QWEN3_0_6B,
    QWEN3_1_7B,
    UNKNOWN,
    OpenFamily,
    published,
    sizes,
)
from engine.family import InPlace, Key, Resize
from engine.shapes import (
    GPT2,
    LLADA,
    LLADA_MOE,
    LLAMA,
    QWEN2,
    QWEN3,
)

_LLADA_8B = {
    "n_layers": 32,
    "d_model": 4096,
    "n_heads": 32,
    "n_kv_heads": 32,
    "mlp_hidden_size": 12288,
    "embedding_size": 126464,
    "rope_theta": 500000.0,
    "rms_norm_eps": 1e-5,
    "max_sequence_length": 4096,
    "mask_token_id": 126336,
}
_DREAM = InPlace(
    shift=1,
    mask="<|mask|>",
    start="<|beginoftext|>",
    end=None,
    scoring=Scoring.ENTROPY,
)
_LLADA = InPlace(shift=0, mask="<|mdm_mask|>", start="<|startoftext|>", end="<|endoftext|>")
_TINY = InPlace(shift=0, mask="<|mask|>", start="<|endoftext|>", end="<|endoftext|>")
IN_PLACE = (
    OpenFamily(
        name="dream",
        model_types=("Dream",),
        gguf=("dream",),
        shape=QWEN2,
        layout=_DREAM,
        models=published(
            APACHE, QWEN2_7B, "Dream-org/Dream-v0-Base-7B", "Dream-org/Dream-v0-Instruct-7B"
        ),
    ),
    OpenFamily(
        name="dream-coder",
        model_types=("Dream",),
        gguf=("dream",),
        told_by=("dream-coder",),
        shape=QWEN2,
        layout=_DREAM,
        models=published(
            APACHE,
            QWEN2_7B,
            "Dream-org/Dream-Coder-v0-Base-7B",
            "Dream-org/Dream-Coder-v0-Instruct-7B",
        ),
    ),
    OpenFamily(
        name="dreamon",
        model_types=("Dream", "DreamOn"),
        gguf=("dream",),
        told_by=("dreamon",),
        shape=QWEN2,
        layout=replace(
            _DREAM,
            close="<|endoftext|>",
            resize=Resize(expand="<|expand|>", delete="<|endoftext|>"),
        ),
        models=published(APACHE, QWEN2_7B, "Dream-org/DreamOn-v0-7B"),
        note="It finds the hole's length itself, one token a step, as it was published.",
    ),
    OpenFamily(
        name="diffucoder",
        model_types=("Dream",),
        gguf=("dream",),
        told_by=("diffucoder",),
        shape=QWEN2,
        layout=_DREAM,
        models=published(
            "Apple AMLR, or Apache-2.0",
            QWEN2_7B,
            "apple/DiffuCoder-7B-Base",
            "apple/DiffuCoder-7B-Instruct",
            "apple/DiffuCoder-7B-cpGRPO",
        ),
        note="Sources disagree about its licence (Apple AMLR or Apache-2.0): read the model card.",
    ),
    OpenFamily(
        name="open-dcoder",
        model_types=("qwen2",),
        gguf=("qwen2",),
        told_by=("open-dcoder",),
        shape=QWEN2,
        # Its tokenizer adds a mask token under one of several names; its base has no start token.
        layout=InPlace(shift=1, mask="[MASK]", start="<|endoftext|>", end=None),
        models=published(UNKNOWN, QWEN2_HALF_B, "fredzzp/open-dcoder-0.5B", tied=True),
    ),
    OpenFamily(
        name="llada",
        model_types=("llada",),
        gguf=("llada",),
        shape=LLADA,
        layout=_LLADA,
        models=published(
            MIT,
            _LLADA_8B,
            "GSAI-ML/LLaDA-8B-Base",
            "GSAI-ML/LLaDA-8B-Instruct",
            "GSAI-ML/LLaDA-1.5",
        ),
    ),
    OpenFamily(
        name="illada",
        model_types=("llada",),
        told_by=("illada",),
        shape=LLADA,
        layout=replace(_LLADA, mask=5, start=Key("bos_token_id"), end=Key("eos_token_id")),
        note="8B, Apache-2.0, LLaDA's code. Its sizes and tokens are not known to us: they are "
        "read from its own config.json.",
    ),
    OpenFamily(
        name="llada-moe",
        model_types=("lladamoe",),
        classes=("LLaDAMoEModelLM",),
        shape=LLADA_MOE,
        layout=replace(_LLADA, mask="<|mask|>"),
        models=published(
            APACHE,
            sizes(16, 2048, (16, 16), 1024, 157184, eps=1e-5, theta=5e4, positions=8192)
            | {"expert_intermediate_size": 1024, "num_experts": 64, "num_experts_per_tok": 8},
            "inclusionAI/LLaDA-MoE-7B-A1B-Base",
            "inclusionAI/LLaDA-MoE-7B-A1B-Instruct",
        ),
    ),
    OpenFamily(
        name="tiny-a2d-qwen2",
        model_types=("a2d-qwen2",),
        shape=QWEN2,
        layout=_TINY,
        models=published(
            UNKNOWN,
            QWEN2_HALF_B,
            "dllm-hub/Qwen2.5-Coder-0.5B-Instruct-diffusion-mdlm-v0.1",
            tied=True,
        ),
    ),
    OpenFamily(
        name="tiny-a2d-qwen3",
        model_types=("a2d-qwen3",),
        shape=QWEN3,
        layout=_TINY,
        models=published(UNKNOWN, QWEN3_0_6B, "dllm-hub/Qwen3-0.6B-diffusion-mdlm-v0.1", tied=True),
    ),
    OpenFamily(name="tiny-a2d-llama", model_types=("a2d-llama",), shape=LLAMA, layout=_TINY),
    OpenFamily(
        name="coda",
        model_types=("CoDA", "coda"),
        shape=QWEN3,
        layout=InPlace(shift=1, mask="<|mask|>", start="<|endoftext|>", end=None),
        models=published(UNKNOWN, QWEN3_1_7B, "Salesforce/CoDA-v0-Instruct", tied=True),
    ),
    OpenFamily(
        name="diffullama",
        model_types=("llama",),
        told_by=("diffullama",),
        shape=LLAMA,
        layout=InPlace(shift=1, mask=811, start="<s>", end=None),  # 811: a token it reuses
        models=published(
            APACHE,
            sizes(32, 4096, (32, 32), 11008, 32000, eps=1e-5, theta=1e4, positions=4096),
            "diffusionfamily/diffullama",
        ),
    ),
    OpenFamily(
        name="diffugpt",
        model_types=("gpt2",),
        told_by=("diffugpt",),
        shape=GPT2,
        layout=InPlace(shift=1, mask=10541, start="<|endoftext|>", end=None),
        models=(
            *published(
                APACHE,
                {"n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257}
                | {"n_positions": 1024},
                "diffusionfamily/diffugpt-s",
                tied=True,
            ),
            *published(
                APACHE,
                {"n_layer": 24, "n_embd": 1024, "n_head": 16, "vocab_size": 50257}
                | {"n_positions": 1024},
                "diffusionfamily/diffugpt-m",
                tied=True,
            ),
        ),
        note="Read with GPT-2's tensor names; 10541 is the small model's mask, the other's is not "
        "known to us: mask_token_id in config.json overrides it.",
    ),
)
