"""The passes of training, over the transformer that decodes: contexts once, canvases on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.model import Transformer
from engine.past import Past


@dataclass(slots=True)
class _Recording(Past):
    """Keeps a context's keys and values as a layer makes them."""

    key: Tensor | None = None
    value: Tensor | None = None

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        self.key, self.value = key, value
        return key, value


@dataclass(frozen=True, slots=True)
class _Fixed(Past):
    """A context that canvases are put behind without being kept."""

    key: Tensor
    value: Tensor

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        return torch.cat([self.key, key], 2), torch.cat([self.value, value], 2)


@torch.no_grad()
def encode_contexts(model: Transformer, ids: Tensor) -> list[Past]:
    """Run contexts (B, C) causally, adapter off; return what each layer keeps of them."""
    place = torch.arange(ids.shape[1], device=ids.device)[None]
    layers = [_Recording() for _ in model.layers]
    mask = place[:, :, None] >= place[:, None]
    model.run(model.embed(ids), place, mask, layers, adapted=False)
    return [_Fixed(r.key, r.value) for r in layers if r.key is not None and r.value is not None]


def canvas_states(
    model: Transformer,
    context: Sequence[Past],
    lengths: Tensor,
    width: int,
    sentinel: Tensor,
    shown: Tensor,
    masked: Tensor,
    *,
    causal: int = 1,
) -> Tensor:
    """Run K copies of each canvas on its context, adapter on; hidden states (B, K, L, D).

    Takes (B,) context lengths within `width` positions, (B,) sentinels, ids and masks (B, K, L);
    the last `causal` copies see nothing to their right. State i predicts token i.
    """
    assert model.mask_vector is not None
    batch, copies, length = shown.shape
    vectors = torch.where(masked[..., None], model.mask_vector, model.embed(shown))
    start = model.embed(sentinel)[:, None, None].expand(-1, copies, 1, -1)
    x = torch.cat([start, vectors[:, :, :-1]], 2).flatten(1, 2)  # (B, K L, D)
    slot = torch.arange(copies * length, device=shown.device)
    own, place = slot // length, slot % length
    itself = (own[:, None] == own) & ((own[:, None] < copies - causal) | (place[:, None] >= place))
    known = torch.arange(width, device=shown.device) < lengths[:, None]  # (B, C)
    mask = torch.cat([known[:, None].expand(-1, len(slot), -1), itself.expand(batch, -1, -1)], 2)
    positions = lengths[:, None] + place
    return model.run(x, positions, mask, context, adapted=True).view(batch, copies, length, -1)
