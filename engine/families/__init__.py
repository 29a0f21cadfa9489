"""The open models that run besides the default one: one entry a family. Torch-free.

A family is told by `config.json` or a GGUF file's architecture; where that leaves several, the
folder's or file's name decides. Sizes are the published ones (from the models' own `config.json`,
or their base's), for memory figures and dry runs; where they are not known to us, there are none.
"""

from engine.families.autoregressive import AUTOREGRESSIVE
from engine.families.entry import OpenFamily, Published
from engine.families.in_blocks import IN_BLOCKS
from engine.families.in_place import IN_PLACE
from engine.families.uniform import UNIFORM

FAMILIES = (*IN_PLACE, *IN_BLOCKS, *UNIFORM, *AUTOREGRESSIVE)
NAMED = {family.name: family for family in FAMILIES}


def families_named(name: str) -> list[OpenFamily]:
    """Return the family of a name, or those that it begins."""
    name = name.lower()
    return (
        [NAMED[name]] if name in NAMED else [f for f in FAMILIES if f.name.startswith(f"{name}-")]
    )


__all__ = ["FAMILIES", "NAMED", "OpenFamily", "Published", "families_named"]
