"""Models that are larger than their device: its memory holds the first layers, the host the others.

The matrices of those are brought over for each pass, which takes as long as that does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from engine.config import ModelConfig, Precision
from engine.errors import ConfigError
from engine.footprint import bytes_by_layer
from engine.linear import Linear
from engine.weights import Embedding, Weights

_SHARE = 0.75  # of a device's memory for weights: contexts and what a pass makes need some, too


class OffloadedWeights:
    """The parameters of a model, of which `far` gives the matrices from layer `first_far` on."""

    def __init__(self, near: Weights, far: Weights, first_far: int) -> None:
        self.config: ModelConfig = near.config
        self.near, self.far, self.first_far = near, far, first_far

    def linear(self, names: Sequence[str]) -> Linear:
        """Return one layer for projections that share their input, outputs side by side."""
        parts = names[0].split(".")
        is_far = parts[0] == "layers" and int(parts[1]) >= self.first_far
        return (self.far if is_far else self.near).linear(names)

    def vector(self, name: str) -> Tensor:
        """Return what is kept as it is: the weight of a norm, a bias, a router."""
        return self.near.vector(name)

    def embedding(self) -> Embedding:
        """Return the look-up of token vectors."""
        return self.near.embedding()


def room_on(device: torch.device) -> float:
    """Return the bytes a device has for weights: of `DIFFILL_DEVICE_GB`, or of what is free.

    Raises:
        ConfigError: if that is not a number above zero.
    """
    if text := os.environ.get("DIFFILL_DEVICE_GB", ""):
        try:
            gigabytes = float(text)
        except ValueError:
            gigabytes = 0.0
        if not gigabytes > 0:
            raise ConfigError(f"DIFFILL_DEVICE_GB is {text!r}, not a number of gigabytes")
        return _SHARE * gigabytes * 1e9
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what torch keeps of an unloaded model counts as taken
        return _SHARE * torch.cuda.mem_get_info(device)[0]
    return float("inf")


def layers_within(
    room: float, names: Iterable[str], config: ModelConfig, precision: Precision
) -> int:
    """Return how many layers have room besides embedding and output, given all tensors' names.

    Raises:
        ConfigError: if not even those two have.
    """
    sizes = bytes_by_layer(names, config, precision)
    if sizes[-1] > room:
        raise ConfigError(
            f"embedding and output alone need {sizes[-1] / 1e9:.1f} GB on the device, "
            f"which has {room / 1e9:.1f} GB for weights: set DIFFILL_DEVICE=cpu"
        )
    taken = accumulate((sizes[layer] for layer in range(config.num_layers)), initial=sizes[-1])
    return sum(total <= room for total in taken) - 1
