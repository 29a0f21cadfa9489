"""Families that see the blocks so far, asked through a prompt. Torch-free."""

from __future__ import annotations

from dataclasses import replace

from engine.families.entry import (
    APACHE,
    CHATML,
    MIT,
    QWEN2_1_5B,
    QWEN2_7B,
    QWEN2_HALF_B,
    QWEN3_0_6B,
    QWEN3_1_7B,
    UNKNOWN,
    OpenFamily,
    published,
    sizes,
)
from engine.family import Blocks, Chat, Editing, Fim
from engine.shapes import (
    LLADA2,
    LLAMA,
    QWEN2,
    QWEN3,
    QWEN3_MOE,
)

_TINY_BLOCKS = Blocks(
    shift=0,
    block=32,
    mask="<|mask|>",
    ends=("<|endoftext|>", "<|im_end|>"),
    prompt=CHATML,
)
_SDAR = Blocks(
    shift=0,
    block=4,
    mask="<|MASK|>",
    ends=("<|endoftext|>", "<|im_end|>"),
    prompt=CHATML,
)
_LLADA2 = Blocks(
    shift=0,
    block=32,
    mask="<|mask|>",
    ends=("<|endoftext|>", "<|role_end|>"),
    prompt=Chat(
        system="<role>SYSTEM</role>{}<|role_end|>",
        user="<role>HUMAN</role>{}<|role_end|>",
        answer="<role>ASSISTANT</role>",
    ),
)
_LLADA2_MINI = (
    sizes(20, 2048, (16, 4), 5120, 157184, theta=6e5, head_dim=128)
    | {"num_experts": 256, "num_experts_per_tok": 8, "moe_intermediate_size": 512}
    | {"first_k_dense_replace": 1, "n_group": 8, "topk_group": 4}
    | {"routed_scaling_factor": 2.5}
)
# From its parameters and tensors, whose numbers are known: 102,889,705,216 and 24,161.
_LLADA2_FLASH = (
    sizes(32, 4096, (32, 4), 9216, 157184, theta=6e5, head_dim=128)
    | {"num_experts": 256, "num_experts_per_tok": 8, "moe_intermediate_size": 1024}
    | {"first_k_dense_replace": 1, "n_group": 8, "topk_group": 4}
    | {"routed_scaling_factor": 2.5}
)
_LLADA2_2 = _LLADA2_FLASH | {
    "rope_theta": 3e6,
    "max_position_embeddings": 131072,
    "expert_capacity": 48,
    "block_size": 32,
}

IN_BLOCKS = (
    OpenFamily(
        name="tiny-a2d-qwen2-bd3lm",
        model_types=("a2d-qwen2",),
        told_by=("bd3lm",),
        shape=QWEN2,
        layout=_TINY_BLOCKS,
        models=published(
            UNKNOWN,
            QWEN2_HALF_B,
            "dllm-hub/Qwen2.5-Coder-0.5B-Instruct-diffusion-bd3lm-v0.1",
            tied=True,
        ),
    ),
    OpenFamily(
        name="tiny-a2d-qwen3-bd3lm",
        model_types=("a2d-qwen3",),
        told_by=("bd3lm",),
        shape=QWEN3,
        layout=_TINY_BLOCKS,
        models=published(
            UNKNOWN, QWEN3_0_6B, "dllm-hub/Qwen3-0.6B-diffusion-bd3lm-v0.1", tied=True
        ),
    ),
    OpenFamily(
        name="fast-dllm",
        model_types=("Fast_dLLM_Qwen",),
        classes=("Fast_dLLM_QwenForCausalLM",),
        shape=QWEN2,
        layout=Blocks(
            shift=1,
            block=32,
            part=8,
            mask="|<MASK>|",
            ends=("<|im_end|>", "<|endoftext|>"),
            prompt=CHATML,
        ),
        models=(
            *published(APACHE, QWEN2_1_5B, "Efficient-Large-Model/Fast_dLLM_v2_1.5B", tied=True),
            *published(APACHE, QWEN2_7B, "Efficient-Large-Model/Fast_dLLM_v2_7B"),
        ),
    ),
    OpenFamily(
        name="sdar",
        model_types=("sdar",),
        classes=("SDARForCausalLM",),
        shape=QWEN3,
        layout=_SDAR,
        models=(
            *published(MIT, QWEN3_1_7B, "JetLM/SDAR-1.7B-Chat", tied=True),
            *published(
                MIT,
                sizes(36, 2560, (32, 8), 9728, 151936, positions=40960, head_dim=128),
                "JetLM/SDAR-4B-Chat",
                tied=True,
            ),
            *published(
                MIT,
                sizes(36, 4096, (32, 8), 12288, 151936, positions=40960, head_dim=128),
                "JetLM/SDAR-8B-Chat",
            ),
        ),
        note="Sizes are those of the Qwen3 models it was made of.",
    ),
    OpenFamily(
        name="sdar-moe",
        model_types=("sdar_moe",),
        classes=("SDARMoeForCausalLM",),
        shape=QWEN3_MOE,
        layout=_SDAR,
        models=published(
            MIT,
            sizes(48, 2048, (32, 4), 6144, 151936, positions=40960, head_dim=128)
            | {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768}
            | {"norm_topk_prob": True},
            "JetLM/SDAR-30B-A3B-Chat",
        ),
        note="Sizes are those of the Qwen3 model it was made of.",
    ),
    OpenFamily(
        name="stable-diffcoder",
        classes=("StableDiffcoderForCausalLM", "SeedDiffcoderForCausalLM"),
        shape=LLAMA,
        layout=Blocks(
            shift=0,
            block=4,
            mask=5,
            ends=("<[end▁of▁sentence]>",),
            prompt=Fim(
                start="<[begin▁of▁sentence]>",
                prefix="<[fim-prefix]>",
                suffix="<[fim-suffix]>",
                middle="<[fim-middle]>",
                suffix_first=True,
            ),
        ),
        models=published(
            MIT,
            sizes(32, 4096, (32, 8), 14336, 155136, theta=5e5, positions=8192),
            "ByteDance-Seed/Stable-DiffCoder-8B-Base",
            "ByteDance-Seed/Stable-DiffCoder-8B-Instruct",
        ),
        note="Asked through the FIM prompt of Seed-Coder, which it was made of.",
    ),
    OpenFamily(
        name="llada2",
        model_types=("llada2_moe",),
        classes=("LLaDA2MoeModelLM",),
        shape=LLADA2,
        layout=_LLADA2,
        models=(
            *published(APACHE, _LLADA2_MINI, "inclusionAI/LLaDA2.0-mini"),
            *published(APACHE, _LLADA2_FLASH, "inclusionAI/LLaDA2.0-flash"),
        ),
    ),
    OpenFamily(
        name="llada2.1",
        model_types=("llada2_moe",),
        classes=("LLaDA2MoeModelLM",),
        told_by=("llada2.1", "llada2.2"),
        shape=LLADA2,
        # The quality mode of its model card.
        layout=replace(_LLADA2, editing=Editing(commit=0.7, revise=0.5, sweeps=16)),
        models=(
            *published(APACHE, _LLADA2_MINI, "inclusionAI/LLaDA2.1-mini"),
            *published(APACHE, _LLADA2_FLASH, "inclusionAI/LLaDA2.1-flash"),
            *published(APACHE, _LLADA2_2, "inclusionAI/LLaDA2.2-flash"),
        ),
        note="Edits tokens of the block at hand; LLaDA2.2's insertion and deletion is not done.",
    ),
)
