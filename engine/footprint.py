"""How large a model is, and what its weights take in memory. Torch-free."""

from __future__ import annotations

import math
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


def bytes_a_layer(config: ModelConfig, precision: Precision) -> float:
    """Return what a layer's matrices take; of a layer with experts, if the model has any."""
    c = config
    attention = c.width * c.head_dim * (2 * c.num_heads + 2 * c.num_kv_heads)
    mlp = 3 * c.width * c.mlp_width
    if c.experts:
        mlp = 3 * c.width * (c.experts.count * c.experts.width + c.experts.shared_width)
    return (attention + mlp) * _BYTES[precision][0]


def bytes_of_ends(config: ModelConfig, precision: Precision) -> float:
    """Return what embedding and output take."""
    return config.vocab_size * config.width * sum(_BYTES[precision][1:])


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
