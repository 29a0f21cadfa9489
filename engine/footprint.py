"""How large a model is, and what its weights take in memory. Torch-free."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from engine.config import ModelConfig, Precision
from engine.shape import Shape, size_of

# Bytes a weight of a layer's matrix, of the output's, and of the embedding's, which stays as most
# files have it. Int4: half a byte and, for each 64, a scale and an offset of 4 bytes.
_BYTES = {
    Precision.FLOAT32: (4.0, 4.0, 4.0),
    Precision.BFLOAT16: (2.0, 2.0, 2.0),
    Precision.INT8: (1.0, 1.0, 2.0),
    Precision.INT4: (0.5 + 8 / 64, 1.0, 2.0),
}


@dataclass(frozen=True, slots=True)
class Footprint:
    """Parameters, those that see each token, and bytes by precision."""

    parameters: int
    active: int
    bytes: dict[Precision, int]


def bytes_by_layer(
    names: Iterable[str], config: ModelConfig, precision: Precision
) -> dict[int, float]:
    """Return what the weights of these names take, by layer; -1 has embedding, output and such."""
    layer, output, embedded = _BYTES[precision]
    ends = {"lm_head.weight": output, "embed_tokens.weight": embedded}
    found: dict[int, float] = defaultdict(float)
    for name in names:
        number = int(name.split(".")[1]) if name.startswith("layers.") else -1
        found[number] += math.prod(size_of(name, config)) * ends.get(name, layer)
    return found


def footprint(shape: Shape, config: ModelConfig) -> Footprint:
    """Count a model's weights; a matrix that is embedding and output at once counts once."""
    layers = experts = head = embedding = 0
    for name in shape.stored(config):
        count = math.prod(size_of(name, config))
        if name == "embed_tokens.weight":
            embedding = count
        elif name == "lm_head.weight":
            head = count
        else:
            layers += count
            experts += count if ".mlp.experts." in name else 0
    total = layers + embedding + (0 if config.tied_embedding else head)
    idle = 0
    if config.experts:
        idle = experts - experts * config.experts.per_token // config.experts.count
    found: dict[Precision, int] = {}
    for precision, (layer, output, embedded) in _BYTES.items():
        if config.tied_embedding and output == embedded:  # one matrix serves both
            output = 0.0
        found[precision] = int(layers * layer + head * output + embedding * embedded)
    return Footprint(total, total - idle, found)
