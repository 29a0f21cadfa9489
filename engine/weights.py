"""Where a model's parameters come from: float tensors, or int8 ones packed once and mapped again.

Parameters have the names models are published with, without `model.`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.config import ModelConfig, Precision
from engine.errors import CheckpointError, ConfigError
from engine.four_bit import Int4Linear, group_of
from engine.int8 import Int8Linear, Int8Weight
from engine.linear import FloatLinear, Linear, SplitLinear
from engine.placement import CPU, Placed
from engine.rows import StoredRows
from engine.tokenizer import Vocabulary
from engine.unpacked import UnpackedInt4, UnpackedInt8

FORMAT = 1  # of the packed folder; a change makes every folder stale
PROJECTIONS = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)


def projections_of(config: ModelConfig) -> tuple[str, ...]:
    """Return the matrices of a layer that an adapter changes.

    Raises:
        ConfigError: for a mixture of experts.
    """
    if config.experts:
        raise ConfigError("a mixture of experts takes no adapter")
    return tuple(name for name in PROJECTIONS if config.gated or name != "mlp.gate_proj")


# Maps ids (T,) to vectors (T, D).
Embedding = Callable[[Tensor], Tensor]


class Weights(Protocol):
    """What a Transformer is built from."""

    config: ModelConfig

    def linear(self, names: Sequence[str]) -> Linear:
        """Return one layer for projections that share their input, outputs side by side."""
        ...

    def vector(self, name: str) -> Tensor:
        """Return what is kept as it is: the weight of a norm, a bias, a router."""
        ...

    def embedding(self) -> Embedding:
        """Return the look-up of token vectors."""
        ...


class FloatWeights:
    """Parameters as they are, or as numbers of another type; the reference."""

    def __init__(
        self, config: ModelConfig, tensors: Mapping[str, Tensor], dtype: torch.dtype | None = None
    ) -> None:
        self.config, self._tensors, self._dtype = config, tensors, dtype

    def linear(self, names: Sequence[str]) -> Linear:
        """Return a float layer."""
        weights = [self._tensors[f"{n}.weight"] for n in names]
        weight = weights[0] if len(weights) == 1 else torch.cat(weights)
        return FloatLinear(weight.to(self._dtype), self._bias(names))

    def vector(self, name: str) -> Tensor:
        """Return what is kept as it is: the weight of a norm, a bias, a router."""
        return self._tensors[name].to(self._dtype)

    def _bias(self, names: Sequence[str]) -> Tensor | None:
        biases = [self.vector(b) for n in names if (b := f"{n}.bias") in self._tensors]
        return torch.cat(biases) if biases else None

    def embedding(self) -> Embedding:
        """Return a look-up in the matrix itself: where it is mapped, the file is all its memory."""
        weight, dtype = self._tensors[f"{_embedding_name(self.config)}.weight"], self._dtype
        if weight.device != CPU:  # nothing is mapped there
            weight = weight.to(dtype)
        return lambda ids: F.embedding(ids, weight).to(dtype)


class StoredWeights(FloatWeights):
    """Parameters that stay where they are if they have the type: in the mapped file."""

    def linear(self, names: Sequence[str]) -> Linear:
        """Return a float layer."""
        return SplitLinear([self.vector(f"{n}.weight") for n in names], self._bias(names))

    def embedding(self) -> Embedding:
        """Return a look-up in the matrix itself."""
        weight = self.vector(f"{_embedding_name(self.config)}.weight")
        return lambda ids: F.embedding(ids, weight)


class QuantizedWeights(FloatWeights):
    """Parameters whose matrices become int8 as each layer is built.

    All else is float32, by whose activations the kernels of a CPU are called; on another device it
    is bfloat16, and matrices are unpacked there.
    """

    def __init__(
        self, config: ModelConfig, tensors: Mapping[str, Tensor], *, on_cpu: bool = True
    ) -> None:
        super().__init__(config, tensors, torch.float32 if on_cpu else torch.bfloat16)
        self._on_cpu = on_cpu

    def linear(self, names: Sequence[str]) -> Linear:
        """Return an int8 layer."""
        weight = Int8Weight.stacked([Int8Weight.of(self._tensors[f"{n}.weight"]) for n in names])
        kind = Int8Linear if self._on_cpu else UnpackedInt8
        return kind(weight, self._bias(names))


class FourBitWeights(QuantizedWeights):
    """Parameters whose matrices become 4-bit numbers, the output's and odd-sized ones int8."""

    def linear(self, names: Sequence[str]) -> Linear:
        """Return a 4-bit layer where there can be one."""
        tensors = [self._tensors[f"{n}.weight"] for n in names]
        group = group_of(sum(len(t) for t in tensors), tensors[0].shape[1])
        if group is None or "lm_head" in names:
            return super().linear(names)
        kind = Int4Linear if self._on_cpu else UnpackedInt4
        return kind(torch.cat(tensors), group, self._bias(names))


def weights_of(
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    precision: Precision,
    device: torch.device = CPU,
    *,
    far: bool = False,
) -> Weights:
    """Return what a model is built from; nothing is read before a layer asks for it.

    On a device it is put there, unless it is `far`: then it is brought over for each pass.
    """
    on_cpu = device == CPU
    if not on_cpu and not far:
        tensors = Placed(tensors, device)
    match precision:
        case Precision.FLOAT32:
            return (StoredWeights if far else FloatWeights)(config, tensors, torch.float32)
        case Precision.BFLOAT16:
            kind = StoredWeights if on_cpu or far else FloatWeights
            return kind(config, tensors, torch.bfloat16)
        case Precision.INT8:
            return QuantizedWeights(config, tensors, on_cpu=on_cpu)
        case Precision.INT4:
            return FourBitWeights(config, tensors, on_cpu=on_cpu)


class PackedWeights:
    """Int8 parameters, memory-mapped from a folder that `pack` wrote.

    Raises:
        CheckpointError: if the folder is damaged or of another format.
    """

    def __init__(self, folder: Path) -> None:
        try:
            data = json.loads((folder / "model.json").read_text("utf-8"))
            if data["format"] != FORMAT:
                raise CheckpointError(f"{folder} has format {data['format']}, not {FORMAT}")
            self.config = ModelConfig(**data["config"])
            self.vocabulary = Vocabulary(**data["vocabulary"])
            self._path = folder / "weights.safetensors"
            self._file = safe_open(self._path, "pt")
            self._names = frozenset(self._file.keys())
            wanted = {f"{n}.{kind}" for n in _matrices(self.config) for kind in ("weight", "scale")}
            if missing := (wanted | set(_vectors(self.config))) - self._names:
                raise ValueError(f"{min(missing)} and {len(missing) - 1} more tensors are missing")
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise CheckpointError(f"{folder} is damaged: {error}") from error

    def linear(self, names: Sequence[str]) -> Int8Linear:
        """Return an int8 layer, a copy: a mapping of its own lets the pages read for it go."""
        with safe_open(self._path, "pt") as file:
            biases = [file.get_tensor(b) for n in names if (b := f"{n}.bias") in self._names]
            weight = Int8Weight.stacked([_matrix(file, n) for n in names])
            return Int8Linear(weight, torch.cat(biases) if biases else None)

    def vector(self, name: str) -> Tensor:
        """Return what is kept as it is: the weight of a norm, a bias, a router."""
        return self._file.get_tensor(name)

    def embedding(self) -> Embedding:
        """Return a look-up that reads the rows it needs, and scales them."""
        name = _embedding_name(self.config)
        rows, scale = StoredRows(self._path, f"{name}.weight"), self.vector(f"{name}.scale")
        return lambda ids: rows(ids).float() * scale[ids, None]


def _matrix(file: safe_open, name: str) -> Int8Weight:
    return Int8Weight(file.get_tensor(f"{name}.weight"), file.get_tensor(f"{name}.scale"))


def pack(
    folder: Path,
    config: ModelConfig,
    vocabulary: Vocabulary,
    tensors: Mapping[str, Tensor],
    report: Callable[[float], None],
) -> None:
    """Quantise a model into `folder`, which appears whole or not at all.

    Raises:
        CheckpointError: if it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".packing-", dir=folder.parent))
    except OSError as error:
        raise CheckpointError(f"the packed model could not be written: {error}") from error
    try:
        names = list(_matrices(config))
        packed: dict[str, Tensor] = {}
        for i, name in enumerate(names):
            weight = Int8Weight.of(tensors[f"{name}.weight"])
            packed[f"{name}.weight"], packed[f"{name}.scale"] = weight.values, weight.scale
            if (bias := f"{name}.bias") in tensors:
                packed[bias] = tensors[bias].float()
            report(i / len(names))
        for name in _vectors(config):
            packed[name] = tensors[name].float()
        save_file(packed, staging / "weights.safetensors")
        model: dict[str, Any] = {
            "format": FORMAT,
            "config": asdict(config),
            "vocabulary": asdict(vocabulary),
        }
        (staging / "model.json").write_text(json.dumps(model), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # a stale or damaged one
        staging.rename(folder)
    except (OSError, SafetensorError) as error:  # a full disk comes as the latter
        raise CheckpointError(f"the packed model could not be written: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _matrices(config: ModelConfig) -> Iterator[str]:
    for layer in range(config.num_layers):
        yield from (f"layers.{layer}.{name}" for name in PROJECTIONS)
    yield "lm_head"
    if not config.tied_embedding:
        yield "embed_tokens"


def _embedding_name(config: ModelConfig) -> str:
    return "lm_head" if config.tied_embedding else "embed_tokens"


def _vectors(config: ModelConfig) -> Iterator[str]:
    for layer in range(config.num_layers):
        yield f"layers.{layer}.input_layernorm.weight"
        yield f"layers.{layer}.post_attention_layernorm.weight"
        if config.qk_norm:
            yield f"layers.{layer}.self_attn.q_norm.weight"
            yield f"layers.{layer}.self_attn.k_norm.weight"
    yield "norm.weight"
