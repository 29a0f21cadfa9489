"""Load a canvas adapter: low-rank updates for every projection, and the vector of a masked token.

The file is safetensors with PEFT's tensor names and metadata rank, scale, base_sha256.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from engine.catalogue import LocalModel
from engine.errors import CheckpointError
from engine.fetch import sha256_of
from engine.linear import LowRank
from engine.model import Transformer
from engine.weights import projections_of


def base_of(local: LocalModel) -> str:
    """Return what tells a model from others that an adapter is not for: a SHA-256.

    Of a folder it is that of its sizes and of how each of its files begins.
    """
    if local.entry.sha256:
        return local.entry.sha256
    if local.path.is_file():
        return sha256_of(local.path)
    digest = hashlib.sha256()
    for path in sorted([local.path / "config.json", *local.path.glob("*.safetensors")]):
        digest.update(f"{path.name}:{path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(1 << 20))
    return digest.hexdigest()


def load_adapter(model: Transformer, path: Path, base_sha256: str) -> None:
    """Attach the adapter in `path` to a model.

    Raises:
        CheckpointError: if the file is damaged, lacks a tensor, or belongs to another base.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("base_sha256") != base_sha256:
                raise CheckpointError(f"the adapter {path} was trained on another base model")
            scale = float(metadata["scale"])

            def tensor(name: str) -> torch.Tensor:
                return file.get_tensor(name).to(model.device, model.dtype)

            for i, layer in enumerate(model.layers):
                stem = f"base_model.model.model.layers.{i}."
                layer.adapt(
                    {
                        p: LowRank(
                            tensor(f"{stem}{p}.lora_A.weight"),
                            tensor(f"{stem}{p}.lora_B.weight") * scale,
                        )
                        for p in projections_of(model.config)
                    }
                )
            model.mask_vector = tensor("mask_embedding")
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path.name} is not a canvas adapter: {error}") from error
