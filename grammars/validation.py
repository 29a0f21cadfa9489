from __future__ import annotations
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on an edit: ok or not, and why."""

    ok: bool
    reasons: tuple[str, ...] = ()
    checked: bool = True  # False where no grammar knows the language
