"""How long a hole is, at first sight of canvases of several lengths (CAL, arXiv:2602.00476)."""

from __future__ import annotations

import math

# In tokens. Some twice as long as the others: what is in between is found by decoding.
LENGTHS = (2, 4, 8, 16, 32, 64, 128, 256)


def calibrated(sureness: float, length: int) -> float:
    """Return the mean sureness of a blank canvas in units of what any hole of the length has.

    Short ones look likelier than they are. CAL's own fit, on single lines of code with other
    models; not fitted to each of ours.
    """
    return sureness / (math.exp(-1.77 * length) + 0.56 * math.exp(-0.06 * length) + 0.24)
