"""What the table of families is made of. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.family import Chat, Layout
from engine.shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published model; `config` holds what is known of its `config.json`, if anything is."""

    repository: str
    licence: str
    config: Mapping[str, Any] | None = None
    tied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFamily:
    """Models that load and decode alike."""

    name: str
    model_types: tuple[str, ...] = ()  # of config.json
    classes: tuple[str, ...] = ()  # the `architectures` of config.json, which go before its type
    gguf: tuple[str, ...] = ()  # architectures of GGUF files
    told_by: tuple[str, ...] = ()  # parts of the folder's name, where these do not suffice
    shape: Shape
    layout: Layout
    models: tuple[Published, ...] = ()
    note: str = ""  # what a user should know


def sizes(
    layers: int,
    width: int,
    heads: tuple[int, int],
    mlp: int,
    vocab: int,
    *,
    eps: float = 1e-6,
    theta: float = 1e6,
    positions: int = 32768,
    **more: Any,
) -> dict[str, Any]:
    """Return a `config.json` as most models write it; `heads` are query and key/value heads."""
    return {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": heads[0],
        "num_key_value_heads": heads[1],
        "intermediate_size": mlp,
        "vocab_size": vocab,
        "rms_norm_eps": eps,
        "rope_theta": theta,
        "max_position_embeddings": positions,
        **more,
    }


def published(
    licence: str, config: Mapping[str, Any] | None, *repositories: str, tied: bool = False
) -> tuple[Published, ...]:
    """Return models of one size."""
    return tuple(
        Published(repository=r, licence=licence, config=config, tied=tied) for r in repositories
    )


APACHE, MIT, UNKNOWN = "Apache-2.0", "MIT", "not stated"
QWEN2_7B = sizes(28, 3584, (28, 4), 18944, 152064, positions=131072)
QWEN2_HALF_B = sizes(24, 896, (14, 2), 4864, 151936)
QWEN2_1_5B = sizes(28, 1536, (12, 2), 8960, 151936)
QWEN3_0_6B = sizes(28, 1024, (16, 8), 3072, 151936, positions=40960, head_dim=128)
QWEN3_1_7B = sizes(28, 2048, (16, 8), 6144, 151936, positions=40960, head_dim=128)

CHATML = Chat(
    system="<|im_start|>system\n{}<|im_end|>\n",
    user="<|im_start|>user\n{}<|im_end|>\n",
    answer="<|im_start|>assistant\n",
)
