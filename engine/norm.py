"""Normalisation of vectors x (..., D)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.config import ModelConfig
from engine.weights import Weights


def rms_norm(x: Tensor, weight: Tensor | float, eps: float) -> Tensor:
    """Normalise in float32, whatever the dtype of x, as the checkpoints were trained."""
    wide = x.float()
    squares = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square()
    return (wide * torch.rsqrt(squares / x.shape[-1] + eps)).to(x.dtype) * weight


class RmsNorm:
    """Scales to a root mean square of one (arXiv:1910.07467), then by a weight."""

    def __init__(self, weight: Tensor, eps: float) -> None:
        self.weight, self.eps = weight, eps

    def __call__(self, x: Tensor) -> Tensor:
        """Return x normalised."""
        return rms_norm(x, self.weight, self.eps)


class LayerNorm:
    """Also takes the mean away, and adds a bias (GPT-2, StarCoder2)."""

    def __init__(self, weight: Tensor, bias: Tensor, eps: float) -> None:
        self.weight, self.bias, self.eps = weight, bias, eps

    def __call__(self, x: Tensor) -> Tensor:
        """Return x normalised."""
        return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps)


Norm = RmsNorm | LayerNorm


def norm_of(weights: Weights, name: str) -> Norm:
    """Build a norm of the kind the model has."""
    config: ModelConfig = weights.config
    weight = weights.vector(f"{name}.weight")
    if config.layer_norm:
        return LayerNorm(weight, weights.vector(f"{name}.bias"), config.norm_eps)
    return RmsNorm(weight, config.norm_eps)
