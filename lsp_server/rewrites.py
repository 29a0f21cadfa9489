"""The ready-made rewrites: what each is called and what the model is told."""

from __future__ import annotations

from dataclasses import dataclass

# {} is a syntax error as `BrokenLines.told` tells it.
MEND = "Fix the syntax error in the line {}. Change nothing else."

_ANNOTATED = frozenset({"python", "typescript", "typescriptreact"})
_OTHERS = frozenset({"javascript", "javascriptreact", "rust", "go", "c", "cpp", "java"})


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A rewrite that needs no instruction of the user's."""

    kind: str  # the end of its code action kind
    title: str
    instruction: str
    languages: frozenset[str] | None = None  # None: all

    def suits(self, language: str) -> bool:
        """Tell whether it makes sense in a language."""
        return self.languages is None or language in self.languages


REWRITES = (
    Rewrite(
        "docstring",
        "add a docstring",
        "Add a docstring: one short sentence that says what it does. Do not change the code.",
        frozenset({"python"}),
    ),
    Rewrite(
        "docstring",
        "add a documentation comment",
        "Put a short documentation comment above it that says what it does, in the form usual for "
        "the language. Do not change the code.",
        _OTHERS | _ANNOTATED - {"python"},
    ),
    Rewrite(
        "types",
        "add type hints",
        "Add type annotations to the parameters and the return value. Do not change what it does.",
        _ANNOTATED,
    ),
    Rewrite(
        "errors",
        "handle errors",
        "Handle the errors that can occur here, with clear messages. Keep everything else.",
    ),
    Rewrite(
        "simplify",
        "simplify",
        "Simplify this code without changing what it does.",
    ),
)
