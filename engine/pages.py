"""How an engine's process has its memory: in large pages, from one heap. Torch-free.

A pass reads half a gigabyte of weights, and where each page of 4 KB lies has to be looked up as it
goes; a page of 2 MB is looked up once for 512 of those. Linux gives large pages to who asks, and
glibc asks for what it hands out if it is told so before a program starts. It is told, too, to keep
what a pass has used for the next one, instead of giving it back and having it cleared again.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

_NAME = "GLIBC_TUNABLES"
# oneDNN keeps a kernel, half a megabyte, for each number of tokens it has met in each shape of
# matrix: as many as a thousand otherwise, of which few are met again.
_KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128"}
_MARK = "DIFFILL_STARTED_AGAIN"  # some take the other one away
# By default each thread has a heap of at most 64 MB, the rest is mapped piece by piece.
_TUNABLES = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in {
        "hugetlb": 1,  # ask for large pages
        "arena_max": 1,
        "mmap_threshold": 32 << 20,  # the most there may be
        "trim_threshold": 64 << 20,
        # Each tensor's memory is cut to begin at 64 bytes. So many pieces of a size that were cut
        # off wait to be used again, instead of being joined to their neighbours and cut once more.
        "tcache_count": 200,
    }.items()
)


def in_large_pages(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment for a program that works with a model; what is set there stays."""
    return {_NAME: _TUNABLES, **_KERNELS, **environment}


def start_again_in_large_pages() -> None:
    """Start the running program again in its process, unless it has been told or nothing heeds it.

    To be called before it has done anything.
    """
    if sys.platform == "linux" and sys.executable and not {_NAME, _MARK} & os.environ.keys():
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, in_large_pages({_MARK: "1", **os.environ}))


def give_back() -> None:
    """Return to the system what glibc keeps of what is free."""
    if sys.platform == "linux":
        with suppress(ImportError, OSError, AttributeError):  # another library, or none to load
            import ctypes  # of which its clients need nothing

            ctypes.CDLL(None).malloc_trim(0)
