"""The states of a canvas that the adapter learns from: what is shown, what is masked, what counts.

Every hole is seen in K copies. All but the last are noisy and see themselves in both directions;
pairs of them are complementary half of the time (Fast-dLLM v2, arXiv:2509.26328). The last copy,
the only one where just the next token is to be learnt, is causal: nothing is masked, each position
predicts its own token from those before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_ALL_MASKED, _TAIL_MASKED = 0.3, 0.25  # shares of the noisy copies
_TAIL_WEIGHT = 1.5  # all void behind the end together, in tokens (DreamOn counts it as one)
_CAUSAL_WEIGHT = 0.5
_WRONG = 0.12  # of the visible tokens are replaced, once corruption is on
_WRONG_WEIGHT, _RIGHT_WEIGHT = 0.7, 0.05
_ORDINARY = 60_000  # ids below are ordinary tokens, in any vocabulary of this family


@dataclass(frozen=True, slots=True)
class Noisy:
    """K copies of a batch of canvases."""

    shown: Tensor  # (B, K, L) ids
    masked: Tensor  # (B, K, L) bool: shown as the mask vector
    weight: Tensor  # (B, K, L) of each position's loss


def noisy_copies(
    text: Tensor,
    draft: Tensor,
    is_rewrite: Tensor,
    void: int,
    copies: int,
    generator: torch.Generator,
    *,
    corrupt: bool,
    vocab_size: int,
) -> Noisy:
    """Draw K copies of canvases (B, L), the last one causal.

    The first copy of a rewrite shows its older text whole; `corrupt` puts wrong tokens in all.
    """
    (batch, length), noisy, device = text.shape, copies - 1, text.device

    is_void = text == void
    num_text = (~is_void).sum(1)  # (B,); the position behind the text is the end
    place = torch.arange(length, device=device)
    behind_end = (place > num_text[:, None])[:, None]  # (B, 1, L)
    up_to_end = (place <= num_text[:, None])[:, None]
    causal = Noisy(text[:, None], is_void[:, None], _CAUSAL_WEIGHT * up_to_end.float())
    if not noisy:
        return causal

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    # Later positions are masked more often, as they are when text is revealed from the left.
    rate = (0.1 + 0.9 * uniform(batch, noisy, 1)) * (0.7 + 0.6 * place / length)
    masked = uniform(batch, noisy, length) < rate
    kind = uniform(batch, noisy, 1)
    pairs = noisy // 2 * 2
    complements = (uniform(batch, pairs // 2, 1) < 0.5).expand(-1, -1, length)
    masked[:, 1:pairs:2] = torch.where(complements, ~masked[:, 0:pairs:2], masked[:, 1:pairs:2])
    cut = (uniform(batch, noisy, 1) * (num_text[:, None, None] + 1)).long()
    masked = torch.where(kind < _ALL_MASKED + _TAIL_MASKED, place >= cut, masked)
    masked = (masked | (kind < _ALL_MASKED)) | is_void[:, None]

    shown = text[:, None].expand(batch, noisy, length)
    tail = _TAIL_WEIGHT / behind_end.sum(-1, keepdim=True).clamp(min=5)
    weight = torch.where(behind_end, tail, masked.float())
    if corrupt:
        near = (uniform(batch, noisy * length) * num_text.clamp(min=1)[:, None]).long()
        near = text.gather(1, near).view(batch, noisy, length)
        far = (uniform(batch, noisy, length) * min(_ORDINARY, vocab_size)).long()
        other = torch.where(uniform(batch, noisy, length) < 0.5, near, far)
        wrong = (uniform(batch, noisy, length) < _WRONG) & ~masked & (other != shown)
        shown = torch.where(wrong, other, shown)
        weight = torch.where(
            masked, weight, torch.where(wrong, _WRONG_WEIGHT, _RIGHT_WEIGHT) * up_to_end
        )

    # A rewrite's first copy: the older text in place of masks.
    older = torch.zeros(noisy, dtype=torch.bool, device=device)
    older[0] = True
    older = older[None, :, None] & is_rewrite[:, None, None]  # (B, K-1, 1)
    shown = torch.where(older, draft[:, None], shown)
    masked = torch.where(older, (draft == void)[:, None], masked)
    changed = (draft != text)[:, None] & up_to_end
    weight = torch.where(older, torch.where(changed, 1.0, _RIGHT_WEIGHT) * up_to_end, weight)

    return Noisy(
        torch.cat([shown, causal.shown], 1),
        torch.cat([masked, causal.masked], 1),
        torch.cat([weight, causal.weight], 1),
    )
