"""Times on a device that works while the host goes on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

_RUNS = 7


def wait_for(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device, runs: int = _RUNS) -> float:
    """Return the median time of some runs after one that is not counted."""
    times: list[float] = []
    for _ in range(runs + 1):
        wait_for(device)
        began = time.perf_counter()
        work()
        wait_for(device)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def bandwidth(device: torch.device) -> float:
    """Return the bytes a second that a device reads from its memory."""
    buffer = torch.ones(128 << 20, device=device)  # half a gigabyte: no cache holds it
    return buffer.nbytes / seconds(buffer.amax, device)


def peak_bytes(device: torch.device) -> int | None:
    """Return the most memory that was in use on a GPU since it was asked last."""
    if device.type != "cuda":
        return None
    peak = torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return peak
