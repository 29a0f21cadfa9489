"""One thread for what torch computes, in a process whose requests have threads of their own.

OpenMP gives each thread that computes helpers of its own. As soon as there are more of all these
than processors, helpers fall asleep between two operations and have to be woken for each: with two
processors a pass of one token takes 1.5 times as long, one of four 1.8 times.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_own = threading.local()  # has an attribute on the thread that computes


def start() -> None:
    """Have one thread compute from now on; what others do themselves uses no helpers."""
    global _pool
    import torch

    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(1, "compute", setattr, (_own, "computes", True))
            _pool.submit(torch.get_num_threads).result()  # keeps the number that it finds
            torch.set_num_threads(1)  # of this thread, and of those to come


def compute(work: Callable[[], T]) -> T:
    """Return what `work` returns, done by the thread that computes if there is one."""
    if _pool is None or hasattr(_own, "computes"):
        return work()
    return _pool.submit(work).result()


def computed(function: Callable[P, T]) -> Callable[P, T]:
    """Let the thread that computes run a function or method whenever it is called."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return compute(lambda: function(*args, **kwargs))

    return call
