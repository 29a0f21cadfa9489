"""The adapter while it is trained: parameters in float32, laid onto a frozen model."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import CheckpointError
from engine.linear import LowRank
from engine.model import Transformer
from engine.shape import size_of
from engine.weights import projections_of

SCALE = 2.0
_MASK = "mask_embedding"


class TrainableAdapter:
    """Low-rank updates for every projection, and the vector of a masked token.

    `tensors` are named as in the adapter's file.
    """

    def __init__(self, model: Transformer, rank: int, seed: int) -> None:
        c = model.config
        generator = torch.Generator().manual_seed(seed)
        self.rank = rank
        self.tensors: dict[str, Tensor] = {}
        for i in range(c.num_layers):
            for name in projections_of(c):
                outputs, inputs = size_of(f"layers.{i}.{name}.weight", c)
                stem = f"base_model.model.model.layers.{i}.{name}"
                down = torch.randn(rank, inputs, generator=generator) / math.sqrt(inputs)
                self.tensors[f"{stem}.lora_A.weight"] = down
                self.tensors[f"{stem}.lora_B.weight"] = torch.zeros(outputs, rank)
        # A masked token starts as the mean of the ordinary ones.
        sample = torch.arange(0, c.vocab_size, max(1, c.vocab_size // 4096), device=model.device)
        self.tensors[_MASK] = model.embed(sample).float().mean(0).cpu()
        for name, tensor in self.tensors.items():
            self.tensors[name] = tensor.to(model.device).requires_grad_()

    def attach(self, model: Transformer) -> None:
        """Lay the present values onto a model; gradients flow back from its passes."""
        for i, layer in enumerate(model.layers):
            stem = f"base_model.model.model.layers.{i}."
            layer.adapt(
                {
                    p: LowRank(
                        self.tensors[f"{stem}{p}.lora_A.weight"].to(model.dtype),
                        (self.tensors[f"{stem}{p}.lora_B.weight"] * SCALE).to(model.dtype),
                    )
                    for p in projections_of(model.config)
                }
            )
        model.mask_vector = self.tensors[_MASK].to(model.dtype)

    @torch.no_grad()
    def load(self, path: Path) -> None:
        """Start from an adapter's file.

        Raises:
            CheckpointError: if it does not fit.
        """
        try:
            with safe_open(path, "pt") as file:
                scale = float((file.metadata() or {})["scale"]) / SCALE
                for name, tensor in self.tensors.items():
                    found = file.get_tensor(name)
                    tensor.copy_(found * scale if name.endswith(".lora_B.weight") else found)
        except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
            raise CheckpointError(f"{path} is not an adapter of this shape: {error}") from error


def rescale(adapter: Path, path: Path, by: float) -> None:
    """Write an adapter whose updates count `by` times as much: 0 is the base, 1 the adapter.

    Between the two lies what either knows alone (WiSE-FT, arXiv:2109.01903).

    Raises:
        CheckpointError: if the file is no adapter.
    """
    try:
        with safe_open(adapter, "pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata["scale"] = str(float(metadata["scale"]) * by)
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{adapter} is not an adapter: {error}") from error
    _write(tensors, path, metadata)


def save_adapter(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write an adapter in bfloat16, whole or not at all."""
    ready = {n: t.detach().to("cpu", torch.bfloat16).contiguous() for n, t in tensors.items()}
    _write(ready, path, metadata | {"scale": str(SCALE)})


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    save_file(tensors, partial, metadata)
    partial.replace(path)
