"""The examples that `--help` and the man page end with: of `diffill`, and of its commands."""

from __future__ import annotations

OVERVIEW = r"""
diffill fill prices.py --lines 25-25
diffill fill src --holes --write
diffill rewrite src 'tests/**/*.py' --symbol Cart.total --instruction "Round to cents."
git ls-files -z '*.py' | diffill fill --files-from - --holes --json=stream
diffill run recipe.toml src --write --resume
diffill repair src --write --check-cmd 'python -m py_compile {file}'
diffill explain prices.py --lines 25-25
diffill undo
"""

OF_COMMANDS = {
    "fill": r"""
diffill fill prices.py --lines 25-25
diffill fill prices.py --range 25:5-25:30 --candidates 3
diffill fill src --holes --interactive --write
diffill fill src --symbol Cart.total --check-cmd 'pytest -q' --write --atomic
cat a.py | diffill fill - --stdin-filename a.py --holes --write >b.py
""",
    "rewrite": r"""
diffill rewrite average.ts --lines 8-14 --instruction "Return 0 if marks is empty."
diffill rewrite src --query '((call function: (identifier) @_f) @it (#eq? @_f "print"))' \
    --instruction "Log it instead." --patch log.patch
ruff check --output-format json | \
    diffill rewrite --diagnostics - --write --check-cmd 'ruff check {file}'
""",
    "repair": r"""
diffill repair src
diffill repair --changed --write --check-cmd 'python -m py_compile {file}'
""",
    "run": r"""
diffill run recipe.toml src
diffill run recipe.toml src --write --check-cmd 'pytest -q' --deadline 3600
diffill run recipe.toml src --write --resume
""",
    "check": r"""
diffill check src --symbol Cart.total
diffill check --recipe recipe.toml --json
""",
    "holes": r"""
diffill holes src
diffill holes src --query '(class_definition name: (identifier) @name)' --json
""",
    "undo": r"""
diffill undo
diffill undo --list
""",
    "explain": r"""
diffill explain prices.py --lines 25-25
diffill explain average.ts --symbol average --instruction "Return 0 if marks is empty." --json
diffill fill src --holes --record run.jsonl && diffill explain --replay run.jsonl --edit 2
""",
    "replay": r"""
diffill fill src --holes --record run.jsonl
diffill replay run.jsonl
diffill replay run.jsonl --edit 2 --json
""",
    "batch": r"""
diffill batch holes.jsonl fills.jsonl
diffill batch - - <holes.jsonl | jq .text
""",
    "engine": r"""
diffill engine status
diffill engine stop
""",
    "model": r"""
diffill model list
diffill model pull
""",
    "completion": r"""
diffill completion bash >~/.local/share/bash-completion/completions/diffill
diffill completion zsh >~/.zfunc/_diffill
""",
}


def epilog(examples: str) -> str:
    """Return examples as the end of a help page."""
    lines = examples.strip("\n").split("\n")
    return "\n".join(["examples:", *(f"  {line}" for line in lines)])
