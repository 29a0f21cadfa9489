"""What the documentation shows of adding a family is what there is, and is short."""

import re
from dataclasses import replace
from pathlib import Path

import published

from engine.families import NAMED, entry, in_blocks

README = Path(__file__).parents[2] / "engine" / "families" / "README.md"


def test_the_entries_shown_are_those_of_the_family():
    entries = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert sum(shown.count("\n") for shown in entries) < 40
    ours, theirs = entries
    (family,) = eval(ours, vars(entry) | vars(in_blocks))
    real = NAMED[family.name]
    # The example has the first of its models, and no note.
    assert family == replace(real, models=real.models[:1], note="")
    assert eval(f"{{{theirs}}}") == {family.name: published.FORMS[family.name]}
