"""The open models that run besides the default one: one entry a family. Torch-free.

A family is told by `config.json`; where that leaves two, the folder's name decides. Sizes are the
published ones (reference: the models' own `config.json`), for memory figures and dry runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.config import ModelConfig, Scoring
from engine.errors import CheckpointError
from engine.family import InPlace, Resize
from engine.shape import Shape
from engine.shapes import LLADA, LLAMA, QWEN2, QWEN3

_MAX_CONFIG_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published model; `config` holds what is known of its `config.json`."""

    repository: str
    licence: str
    config: Mapping[str, Any]
    tied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFamily:
    """Models that load and decode alike. `in_place` is None for autoregressive ones."""

    name: str
    model_types: tuple[str, ...]  # of config.json
    told_by: tuple[str, ...] = ()  # parts of the folder's name, where model_types do not suffice
    shape: Shape
    in_place: InPlace | None
    models: tuple[Published, ...]


def _sizes(
    layers: int,
    width: int,
    heads: tuple[int, int],
    mlp: int,
    vocab: int,
    *,
    eps: float = 1e-6,
    theta: float = 1e6,
    positions: int = 32768,
    head_dim: int | None = None,
) -> dict[str, Any]:
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
    } | ({} if head_dim is None else {"head_dim": head_dim})


_QWEN2_7B = _sizes(28, 3584, (28, 4), 18944, 152064, positions=131072)
_QWEN2_HALF_B = _sizes(24, 896, (14, 2), 4864, 151936)
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
_APACHE, _MIT, _UNKNOWN = "Apache-2.0", "MIT", "not stated"
_DREAM = InPlace(
    shift=1,
    mask="<|mask|>",
    start="<|beginoftext|>",
    end=None,
    scoring=Scoring.ENTROPY,
)

FAMILIES = (
    OpenFamily(
        name="dream",
        model_types=("Dream",),
        shape=QWEN2,
        in_place=_DREAM,
        models=(
            Published(repository="Dream-org/Dream-v0-Base-7B", licence=_APACHE, config=_QWEN2_7B),
            Published(
                repository="Dream-org/Dream-v0-Instruct-7B", licence=_APACHE, config=_QWEN2_7B
            ),
        ),
    ),
    OpenFamily(
        name="dream-coder",
        model_types=("Dream",),
        told_by=("dream-coder",),
        shape=QWEN2,
        in_place=_DREAM,
        models=(
            Published(
                repository="Dream-org/Dream-Coder-v0-Base-7B", licence=_APACHE, config=_QWEN2_7B
            ),
            Published(
                repository="Dream-org/Dream-Coder-v0-Instruct-7B", licence=_APACHE, config=_QWEN2_7B
            ),
        ),
    ),
    OpenFamily(
        name="dreamon",
        model_types=("Dream", "DreamOn"),
        told_by=("dreamon",),
        shape=QWEN2,
        in_place=replace(
            _DREAM,
            close="<|endoftext|>",
            resize=Resize(expand="<|expand|>", delete="<|endoftext|>"),
        ),
        models=(
            Published(repository="Dream-org/DreamOn-v0-7B", licence=_APACHE, config=_QWEN2_7B),
        ),
    ),
    OpenFamily(
        name="diffucoder",
        model_types=("Dream",),
        told_by=("diffucoder",),
        shape=QWEN2,
        in_place=_DREAM,
        models=(
            Published(
                repository="apple/DiffuCoder-7B-Base", licence="Apple AMLR", config=_QWEN2_7B
            ),
            Published(
                repository="apple/DiffuCoder-7B-cpGRPO", licence="Apple AMLR", config=_QWEN2_7B
            ),
        ),
    ),
    OpenFamily(
        name="open-dcoder",
        model_types=("qwen2",),
        told_by=("open-dcoder",),
        shape=QWEN2,
        # Its tokenizer adds a mask token under one of several names; its base has no start token.
        in_place=InPlace(shift=1, mask="[MASK]", start="<|endoftext|>", end=None),
        models=(
            Published(
                repository="fredzzp/open-dcoder-0.5B",
                licence=_UNKNOWN,
                config=_QWEN2_HALF_B,
                tied=True,
            ),
        ),
    ),
    OpenFamily(
        name="llada",
        model_types=("llada",),
        shape=LLADA,
        in_place=InPlace(
            shift=0, mask="<|mdm_mask|>", start="<|startoftext|>", end="<|endoftext|>"
        ),
        models=(
            Published(repository="GSAI-ML/LLaDA-8B-Base", licence=_MIT, config=_LLADA_8B),
            Published(repository="GSAI-ML/LLaDA-8B-Instruct", licence=_MIT, config=_LLADA_8B),
            Published(repository="GSAI-ML/LLaDA-1.5", licence=_MIT, config=_LLADA_8B),
        ),
    ),
    OpenFamily(
        name="tiny-a2d-qwen2",
        model_types=("a2d-qwen2",),
        shape=QWEN2,
        in_place=InPlace(shift=0, mask="<|mask|>", start="<|endoftext|>", end="<|endoftext|>"),
        models=(
            Published(
                repository="dllm-hub/Qwen2.5-Coder-0.5B-Instruct-diffusion-mdlm-v0.1",
                licence=_UNKNOWN,
                config=_QWEN2_HALF_B,
                tied=True,
            ),
        ),
    ),
    OpenFamily(
        name="tiny-a2d-qwen3",
        model_types=("a2d-qwen3",),
        shape=QWEN3,
        in_place=InPlace(shift=0, mask="<|mask|>", start="<|endoftext|>", end="<|endoftext|>"),
        models=(
            Published(
                repository="dllm-hub/Qwen3-0.6B-diffusion-mdlm-v0.1",
                licence=_UNKNOWN,
                config=_sizes(28, 1024, (16, 8), 3072, 151936, positions=40960, head_dim=128),
                tied=True,
            ),
        ),
    ),
    OpenFamily(
        name="tiny-a2d-llama",
        model_types=("a2d-llama",),
        shape=LLAMA,
        in_place=InPlace(shift=0, mask="<|mask|>", start="<|endoftext|>", end="<|endoftext|>"),
        models=(),
    ),
    OpenFamily(
        name="coda",
        model_types=("CoDA", "coda"),
        shape=QWEN3,
        in_place=InPlace(shift=1, mask="<|mask|>", start="<|endoftext|>", end=None),
        models=(
            Published(
                repository="Salesforce/CoDA-v0-Instruct",
                licence=_UNKNOWN,
                config=_sizes(28, 2048, (16, 8), 6144, 151936, positions=40960, head_dim=128),
                tied=True,
            ),
        ),
    ),
    OpenFamily(
        name="diffullama",
        model_types=("llama",),
        told_by=("diffullama",),
        shape=LLAMA,
        in_place=InPlace(shift=1, mask=811, start="<s>", end=None),  # 811: a token it reuses
        models=(
            Published(
                repository="diffusionfamily/diffullama",
                licence=_APACHE,
                config=_sizes(
                    32, 4096, (32, 32), 11008, 32000, eps=1e-5, theta=1e4, positions=4096
                ),
            ),
        ),
    ),
    OpenFamily(
        name="qwen2.5-coder",
        model_types=("qwen2",),
        shape=QWEN2,
        in_place=None,
        models=tuple(
            Published(
                repository=f"Qwen/Qwen2.5-Coder-{size}",
                licence="Qwen Research" if size == "3B" else _APACHE,
                config=config,
                tied=tied,
            )
            for size, config, tied in (
                ("0.5B", _QWEN2_HALF_B, True),
                ("1.5B", _sizes(28, 1536, (12, 2), 8960, 151936), True),
                ("3B", _sizes(36, 2048, (16, 2), 11008, 151936), True),
                ("7B", _QWEN2_7B, False),
                ("14B", _sizes(48, 5120, (40, 8), 13824, 152064), False),
                ("32B", _sizes(64, 5120, (40, 8), 27648, 152064), False),
            )
        ),
    ),
)


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a file of a checkpoint folder.

    Raises:
        CheckpointError: if there is no such file, or it holds something else.
    """
    try:
        with path.open("rb") as file:
            data = json.loads(file.read())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} holds no JSON object")
    return data


def family_of(folder: Path) -> OpenFamily:
    """Return the family of a checkpoint folder, with the mask its `config.json` names.

    Raises:
        CheckpointError: if it is none, or of no family that is known.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise CheckpointError(f"{folder} is not a model's folder: it has no config.json")
    if path.stat().st_size > _MAX_CONFIG_BYTES:
        raise CheckpointError(f"{path} is too large to be a model's configuration")
    config = read_json(path)
    kind = config.get("model_type")
    candidates = [f for f in FAMILIES if kind in f.model_types]
    named = folder.name.lower().replace("_", "-")
    told = [f for f in candidates if any(part in named for part in f.told_by)]
    plain = [f for f in candidates if not f.told_by]
    if not (found := told or plain):
        hint = ""
        if candidates:
            parts = " or ".join(repr(p) for f in candidates for p in f.told_by)
            hint = f", and the folder's name, which would tell a family, has no {parts} in it"
        known = ", ".join(f.name for f in FAMILIES)
        raise CheckpointError(
            f"{folder}: its model_type is {kind!r}{hint}; the families are: {known}"
        )
    family, mask = found[0], config.get("mask_token_id")
    if family.in_place is None or mask is None:
        return family
    if isinstance(mask, bool) or not isinstance(mask, int) or mask < 0:
        raise CheckpointError(f"{path}: mask_token_id is {mask!r}, not a token")
    return replace(family, in_place=replace(family.in_place, mask=mask))


def config_of(folder: Path, family: OpenFamily, *, tied: bool) -> ModelConfig:
    """Read a folder's sizes.

    Raises:
        CheckpointError: naming the folder and the key.
    """
    try:
        return family.shape.config(read_json(folder / "config.json"), tied=tied)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
