"""One thread for all of a model's passes, with a helper for each processor that is free.

OpenMP gives each thread that computes helpers of its own. As soon as there are more of all these
than processors, helpers fall asleep between two operations and have to be woken for each: with two
processors a pass of one token takes 1.5 times as long, one of four 1.8 times. What requests do with
the result of a pass, they do themselves, without helpers.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from engine.processors import Processors

P = ParamSpec("P")
T = TypeVar("T")
Desk = SimpleQueue[tuple[Callable[[], Any], Future[Any]]]

# So many times a helper looks for its next work before it falls asleep: for a millisecond or less,
# where GCC's own choice can be ten. All wait for one that looks while another needs its processor.
LOOKS = "10000"

_lock = threading.Lock()
_thread: threading.Thread | None = None
_desk: Desk = SimpleQueue()
_yields = False


def start() -> None:
    """Have one thread compute from now on; what others do themselves uses no helpers."""
    global _thread
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = LOOKS  # read when torch is loaded
    import torch

    with _lock:
        if _thread is None:
            # A daemon, not an executor's: a pass that takes long keeps no process from ending.
            args = [_desk, torch.get_num_threads()]
            _thread = threading.Thread(target=_work, args=args, name="compute", daemon=True)
            _thread.start()
            compute(torch.get_num_threads)  # keeps the number that it finds
            torch.set_num_threads(1)  # of this thread, and of those to come


def yield_processors(yields: bool) -> None:
    """Say whether fewer helpers are used while other processes are busy; at first, none is spared.

    Only for a model whose results do not depend on how many there are, as those in int8.
    """
    global _yields
    _yields = yields


def compute(work: Callable[[], T]) -> T:
    """Return what `work` returns, done by the thread that computes if there is one."""
    if _thread in (None, threading.current_thread()):
        return work()
    future = Future[T]()
    _desk.put((work, future))
    return future.result()


def _work(desk: Desk, most: int) -> None:
    processors = Processors(most)
    while True:
        _answer(*desk.get(), lambda: processors.free() if _yields else most)


def _answer(work: Callable[[], Any], future: Future[Any], wanted: Callable[[], int]) -> None:
    try:
        _take(wanted())
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)


def _take(num_threads: int) -> None:
    import torch

    if torch.get_num_threads() != num_threads:
        torch.set_num_threads(num_threads)  # of this thread, and of those to come, but for these:
        others = threading.Thread(target=torch.set_num_threads, args=[1])
        others.start()
        others.join()


def computed(function: Callable[P, T]) -> Callable[P, T]:
    """Let the thread that computes run a function or method whenever it is called."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return compute(lambda: function(*args, **kwargs))

    return call
