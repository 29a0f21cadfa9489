"""Autoregressive families with a fill-in-the-middle prompt: the floor. Torch-free."""

from __future__ import annotations

from dataclasses import replace

from engine.families.entry import (
    APACHE,
    CHATML,
    QWEN2_1_5B,
    QWEN2_7B,
    QWEN2_HALF_B,
    OpenFamily,
    Published,
    sizes,
)
from engine.family import Family, Fim
from engine.shapes import (
    GEMMA,
    LLAMA,
    QWEN2,
    STARCODER2,
)

_LINEAR_4 = {"type": "linear", "factor": 4.0}

_QWEN_FIM = Fim(
    prefix="<|fim_prefix|>",
    suffix="<|fim_suffix|>",
    middle="<|fim_middle|>",
    repo_name="<|repo_name|>",
    file_sep="<|file_sep|>",
)
_QWEN_ENDS = (
    "<|endoftext|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
AUTOREGRESSIVE = (
    OpenFamily(
        name="qwen2.5-coder",
        model_types=("qwen2",),
        gguf=("qwen2",),
        shape=QWEN2,
        layout=Family(fim=_QWEN_FIM, void="<|endoftext|>", ends=_QWEN_ENDS, chat=CHATML),
        models=tuple(
            Published(
                repository=f"Qwen/Qwen2.5-Coder-{size}{kind}",
                licence="Qwen Research" if size == "3B" else APACHE,
                config=config,
                tied=tied,
            )
            for size, config, tied in (
                ("0.5B", QWEN2_HALF_B, True),
                ("1.5B", QWEN2_1_5B, True),
                ("3B", sizes(36, 2048, (16, 2), 11008, 151936), True),
                ("7B", QWEN2_7B, False),
                ("14B", sizes(48, 5120, (40, 8), 13824, 152064), False),
                ("32B", sizes(64, 5120, (40, 8), 27648, 152064), False),
            )
            for kind in ("", "-Instruct")
        ),
    ),
    OpenFamily(
        name="starcoder2",
        model_types=("starcoder2",),
        shape=STARCODER2,
        layout=Family(
            fim=Fim(prefix="<fim_prefix>", suffix="<fim_suffix>", middle="<fim_middle>"),
            void="<|endoftext|>",
            ends=("<|endoftext|>", "<file_sep>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
        ),
        models=tuple(
            Published(
                repository=f"bigcode/starcoder2-{size}",
                licence="BigCode OpenRAIL-M",
                config=sizes(*dims, 49152, theta=theta, positions=16384, sliding_window=4096)
                | {"norm_epsilon": 1e-5},
                tied=tied,
            )
            for size, dims, theta, tied in (
                ("3b", (30, 3072, (24, 2), 12288), 999999.4420358813, True),
                ("7b", (32, 4608, (36, 4), 18432), 1e6, True),
                ("15b", (40, 6144, (48, 4), 24576), 1e5, False),
            )
        ),
    ),
    OpenFamily(
        name="deepseek-coder",
        model_types=("llama",),
        told_by=("deepseek-coder",),
        shape=LLAMA,
        layout=Family(
            fim=Fim(
                start="<｜begin▁of▁sentence｜>",
                prefix="<｜fim▁begin｜>",
                suffix="<｜fim▁hole｜>",
                middle="<｜fim▁end｜>",
            ),
            void="<｜end▁of▁sentence｜>",
            ends=("<｜end▁of▁sentence｜>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
        ),
        models=tuple(
            Published(
                repository=f"deepseek-ai/deepseek-coder-{size}-base",
                licence="DeepSeek licence",
                config=sizes(*dims, 32256, theta=1e5, positions=16384, rope_scaling=_LINEAR_4),
            )
            for size, dims in (
                ("1.3b", (24, 2048, (16, 16), 5504)),
                ("6.7b", (32, 4096, (32, 32), 11008)),
                ("33b", (62, 7168, (56, 8), 19200)),
            )
        ),
        note="The base models; DeepSeek-Coder-V2 has another shape.",
    ),
    OpenFamily(
        name="codegemma",
        model_types=("gemma",),
        shape=GEMMA,
        layout=Family(
            fim=replace(_QWEN_FIM, start="<bos>"),
            void="<eos>",
            ends=(
                "<eos>",
                "<|file_separator|>",
                "<|fim_prefix|>",
                "<|fim_suffix|>",
                "<|fim_middle|>",
            ),
        ),
        models=tuple(
            Published(
                repository=f"google/codegemma-{size}",
                licence="Gemma terms of use",
                config=sizes(*dims, 256000, theta=1e4, positions=8192, head_dim=256),
                tied=True,
            )
            for size, dims in (
                ("2b", (18, 2048, (8, 1), 16384)),
                ("7b", (28, 3072, (16, 16), 24576)),
            )
        ),
    ),
)
