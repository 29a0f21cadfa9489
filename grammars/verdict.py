"""What the gate says of an edit. Apart from the gate: who only hears it needs no parser."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on an edit: ok or not, and why."""

    ok: bool
    reasons: tuple[str, ...] = ()
    checked: bool = True  # False where no grammar knows the language
