"""What a training step multiplies, and how fast this machine could."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from engine.model import Transformer


def operations(model: Transformer, context: Tensor, shown: Tensor, counted: int) -> float:
    """Return the multiplications and additions of a step, without attention's own.

    A canvas token costs its pass and the gradient of its inputs, a context token the pass.
    """
    c = model.config
    attention, keys = c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim
    layer = c.width * (2 * attention + 2 * keys + 3 * c.mlp_width)
    head = 4 * c.width * c.vocab_size * counted
    return 2.0 * c.num_layers * layer * (context.numel() + 2 * shown.numel()) + head


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Measure operations a second of one large matrix product: the roof of a training step."""
    size = 4096 if device.type == "cuda" else 1024
    a = torch.randn(size, size, device=device).to(dtype)
    best = math.inf
    for _ in range(4):
        began = time.perf_counter()
        product = a @ a
        float(product[0, 0])  # waits for the device
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best
