"""The device a model runs on, and the tensors of a checkpoint as they are put there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from engine.catalogue import chosen_device
from engine.errors import ConfigError

CPU = torch.device("cpu")


def ready_device() -> torch.device:
    """Return the device that is chosen, once it has held something.

    Raises:
        ConfigError: if torch knows no such device, or cannot use it on this machine.
    """
    name = chosen_device()
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:  # the latter: a torch without GPU support
        raise ConfigError(f"DIFFILL_DEVICE is {name!r}: {str(error).splitlines()[0]}") from error


class Placed(Mapping[str, Tensor]):
    """A checkpoint's tensors, each put on a device when it is asked for: one at a time is read."""

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        device: torch.device,
        dtype: torch.dtype | None = None,
    ) -> None:
        self._tensors, self._device, self._dtype = tensors, device, dtype

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name].to(self._device, self._dtype)

    def __contains__(self, name: object) -> bool:
        return name in self._tensors  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)
