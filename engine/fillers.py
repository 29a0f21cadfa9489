"""What fills holes with a model, by the layout of its family."""

from __future__ import annotations

from engine.config import Decoding
from engine.family import Blocks, Family, InPlace, Layout, Resize, Uniform
from engine.fill import Filler
from engine.gemma import DiffusionGemma
from engine.in_blocks import BlockFiller
from engine.in_place import InPlaceFiller
from engine.model import Transformer
from engine.prefix_cache import PrefixCache
from engine.resizing import ResizingFiller
from engine.tokenizer import Tokenizer
from engine.tries import FillsHoles
from engine.uniform import UniformFiller


def filler_of(
    model: Transformer,
    tokenizer: Tokenizer,
    family: Layout,
    decoding: Decoding,
    contexts: PrefixCache,
) -> FillsHoles:
    """Return what fills holes with a model of a family.

    `decoding` is for the `fim` layout.
    """
    match family:
        case Family():
            return Filler(model, tokenizer, family, decoding, contexts)
        case Uniform():
            assert isinstance(model, DiffusionGemma)
            return UniformFiller(model, tokenizer, family, contexts)
        case Blocks():
            return BlockFiller(model, tokenizer, family)
        case InPlace(resize=Resize()):
            return ResizingFiller(model, tokenizer, family)
        case InPlace():
            return InPlaceFiller(model, tokenizer, family)
