"""Our loop against the published ones, written here plainly, on transformers' own classes."""

import published
import pytest
import torch

from engine.config import DenoiseConfig, Pacing, Scoring
from engine.denoise import denoise
from engine.families import FAMILIES, family_of
from engine.folder import CheckpointFolder
from engine.in_place import InPlaceFiller
from engine.model import Transformer
from engine.tokenizer import Tokenizer
from engine.weights import FloatWeights

IN_PLACE = {f.name: f.in_place for f in FAMILIES if f.in_place}
BEFORE = [published.IDS["<|endoftext|>"], 70, 71, 72, 32, 33]
AFTER = [40, 41, 90, 91]


def opened(tmp_path, family, seed):
    kind = published.FORMS[family][0]
    base = published.reference(kind, seed=seed)
    files = CheckpointFolder(
        path := published.write(tmp_path, family, base), found := family_of(path)
    )
    model = Transformer(FloatWeights(files.config, files))
    return base, InPlaceFiller(model, Tokenizer(files.vocabulary()), found.in_place)


def trace(filler, length, config):
    """The hole's tokens after every pass, None where it is masked."""
    canvas = filler.blank([length])
    steps = denoise(filler.denoiser([BEFORE, AFTER]), canvas, config)
    return [
        [
            None if masked else token
            for token, masked in zip(s.canvas.ids.tolist(), s.canvas.masked.tolist(), strict=True)
        ]
        for s in steps
    ]


def predictions(base, family, x, mask):
    """Logits for every position of x, without the tokens that no text consists of."""
    everything = torch.zeros(1, 1, len(x), len(x))
    logits = base(torch.tensor([x]), attention_mask=everything).logits[0]
    if IN_PLACE[family].shift:
        logits = torch.cat([logits[:1], logits[:-1]])
    text = torch.zeros(logits.shape[1], dtype=torch.bool)
    text[: len(published.WORDS)] = True
    text[mask] = False
    if end := IN_PLACE[family].end:
        text[published.IDS[end]] = True
    return logits.masked_fill(~text, -torch.inf)


def dream(base, family, length, steps, alg, mask):
    """Dream's `_sample` at temperature 0: timesteps, scores, and the shift of its forward."""
    x = [*BEFORE, *[mask] * length, *AFTER]
    timesteps = torch.linspace(1, 1e-3, steps + 1)
    states = []
    for i in range(steps):
        places = [p for p, token in enumerate(x) if token == mask]
        probabilities = predictions(base, family, x, mask)[places].softmax(-1)
        confidence, guess = probabilities.max(-1)
        if alg == "topk_margin":
            top = probabilities.sort(-1, descending=True).values
            confidence = top[:, 0] - top[:, 1]
        elif alg == "entropy":
            confidence = (probabilities * (probabilities + 1e-10).log()).sum(-1)
        number = len(places)
        if i < steps - 1:
            number = int(number * (1 - timesteps[i + 1] / timesteps[i]))
        for j in confidence.topk(number).indices.tolist() if number else []:
            x[places[j]] = int(guess[j])
        if number:
            states.append([None if t == mask else t for t in x[len(BEFORE) : -len(AFTER)]])
        if mask not in x:
            break
    return states


def llada(base, family, length, steps, block_length, mask):
    """LLaDA's `generate` with low-confidence remasking, on a hole; `steps` for each block."""
    x = [*BEFORE, *[mask] * length, *AFTER]
    states = []
    for start in range(len(BEFORE), len(BEFORE) + length, block_length):
        block = range(start, min(start + block_length, len(BEFORE) + length))
        count, extra = divmod(len(block), steps)
        for i in range(steps):
            number = count + (i < extra)
            probabilities = predictions(base, family, x, mask).double().softmax(-1)
            confidence, guess = probabilities.max(-1)
            masked = sorted((p for p in block if x[p] == mask), key=lambda p: -confidence[p])
            for p in masked[:number]:
                x[p] = int(guess[p])
            if number:
                states.append([None if t == mask else t for t in x[len(BEFORE) : -len(AFTER)]])
    return states


@pytest.mark.parametrize("family", [f for f, place in IN_PLACE.items() if place.end is None])
@pytest.mark.parametrize(
    ("alg", "scoring"),
    [
        ("entropy", Scoring.ENTROPY),
        ("maskgit_plus", Scoring.CONFIDENCE),
        ("topk_margin", Scoring.MARGIN),
    ],
)
def test_the_sampler_of_dream(tmp_path, family, alg, scoring):
    for seed, (length, steps) in enumerate([(12, 12), (12, 5), (9, 30), (1, 1), (7, 2)]):
        base, filler = opened(tmp_path / str(seed), family, seed)
        config = DenoiseConfig(
            scoring=scoring, pacing=Pacing.TIMESTEPS, steps=steps, max_revisions=0
        )
        expected = dream(base, family, length, steps, alg, filler.mask)
        assert expected[-1].count(None) == 0
        assert trace(filler, length, config) == expected


@pytest.mark.parametrize("family", [f for f, place in IN_PLACE.items() if place.end is not None])
def test_the_sampler_of_llada(tmp_path, family):
    for seed, (length, steps, block) in enumerate(
        [(12, 12, 12), (12, 4, 4), (12, 3, 8), (10, 7, 4), (1, 1, 32)]
    ):
        base, filler = opened(tmp_path / str(seed), family, seed)
        config = DenoiseConfig(pacing=Pacing.EVEN, steps=steps, block_length=block, max_revisions=0)
        expected = llada(base, family, length, steps, block, filler.mask)
        assert expected[-1].count(None) == 0
        # Behind a hole's end ours has nothing to predict any more; these seeds predict no end.
        assert published.IDS[IN_PLACE[family].end] not in expected[-1]
        assert trace(filler, length, config) == expected
