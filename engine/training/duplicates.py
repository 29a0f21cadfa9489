"""Exact and near duplicates, by MinHash over the lines of a file.

Broder, "On the resemblance and containment of documents" (1997). Numpy, which the engine needs
anyway, makes it fifty lines; the libraries for it bring scipy along and hash word by word.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections import defaultdict

import numpy as np

_PERMUTATIONS, _ROWS = 64, 4  # 16 bands of 4: a pair of resemblance 0.8 is missed once in 5,000
_NEAR = 0.8  # share of equal minima, an estimate of the share of lines in common
_MIN_KEY_CHARS = 4  # a bare `}` or `else:` says nothing of a file


class Duplicates:
    """The texts seen so far."""

    def __init__(self, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        draws = random.integers(1, 2**63, size=(2, _PERMUTATIONS, 1), dtype=np.uint64)
        self._multiplier, self._offset = draws[0] | np.uint64(1), draws[1]
        self._exact: set[bytes] = set()
        self._signatures: list[np.ndarray] = []
        self._bands: defaultdict[bytes, list[int]] = defaultdict(list)

    def check(self, text: str) -> str:
        """Return "copy" or "near copy" for a text like an earlier one, else remember it: ""."""
        bare = re.sub(r"\s+", "", text)
        digest = hashlib.blake2b(bare.encode(), digest_size=16).digest()
        if digest in self._exact:
            return "copy"
        self._exact.add(digest)
        signature = self._signature(text)
        if signature is None:
            return ""
        bands = [
            bytes((start,)) + signature[start : start + _ROWS].tobytes()
            for start in range(0, _PERMUTATIONS, _ROWS)
        ]
        near = {i for band in bands for i in self._bands.get(band, ())}
        if any(np.mean(self._signatures[i] == signature) >= _NEAR for i in near):
            return "near copy"
        for band in bands:
            self._bands[band].append(len(self._signatures))
        self._signatures.append(signature)
        return ""

    def _signature(self, text: str) -> np.ndarray | None:
        keys = {re.sub(r"\s+", "", line) for line in text.splitlines()}
        hashes = [zlib.crc32(key.encode()) for key in keys if len(key) >= _MIN_KEY_CHARS]
        if not hashes:
            return None
        mixed = np.array(hashes, np.uint64)[None, :] * self._multiplier + self._offset
        return (mixed >> np.uint64(32)).min(axis=1).astype(np.uint32)
