"""One thread for a model's passes, in a process whose requests have threads of their own.

OpenMP gives each thread that computes helpers of its own. As soon as there are more of all these
than processors, helpers fall asleep between two operations and have to be woken for each: with two
processors a pass of one token takes 1.5 times as long, one of four 1.8 times. What requests do with
the result of a pass, they do themselves, without helpers.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Desk = SimpleQueue[tuple[Callable[[], Any], Future[Any]]]

_lock = threading.Lock()
_thread: threading.Thread | None = None
_desk: Desk = SimpleQueue()


def start() -> None:
    """Have one thread compute from now on; what others do themselves uses no helpers."""
    global _thread
    import torch

    with _lock:
        if _thread is None:
            # A daemon, not an executor's: a pass that takes long keeps no process from ending.
            _thread = threading.Thread(target=_work, args=[_desk], name="compute", daemon=True)
            _thread.start()
            compute(torch.get_num_threads)  # keeps the number that it finds
            torch.set_num_threads(1)  # of this thread, and of those to come


def compute(work: Callable[[], T]) -> T:
    """Return what `work` returns, done by the thread that computes if there is one."""
    if _thread in (None, threading.current_thread()):
        return work()
    future = Future[T]()
    _desk.put((work, future))
    return future.result()


def _work(desk: Desk) -> None:
    while True:
        _answer(*desk.get())


def _answer(work: Callable[[], T], future: Future[T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)


def computed(function: Callable[P, T]) -> Callable[P, T]:
    """Let the thread that computes run a function or method whenever it is called."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return compute(lambda: function(*args, **kwargs))

    return call
