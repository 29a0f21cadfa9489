"""Our loop against the published ones, written here plainly, on transformers' own classes."""

import itertools
from dataclasses import replace

import published
import pytest
import torch

from engine.canvas import Canvas
from engine.config import EFFORTS, Decoding, DenoiseConfig, Pacing, Scoring
from engine.control import Control
from engine.denoise import denoise
from engine.families import FAMILIES
from engine.family import Blocks, Editing, InPlace
from engine.fillers import filler_of
from engine.folder import CheckpointFolder
from engine.model import Transformer
from engine.prefix_cache import PrefixCache
from engine.protocol import Effort
from engine.recognition import family_of
from engine.stopping import HoleShape
from engine.tokenizer import Tokenizer
from engine.tries import Ask
from engine.weights import FloatWeights

IN_BLOCKS = {f.name: f.layout for f in FAMILIES if isinstance(f.layout, Blocks)}
IN_PLACE = {f.name: f.layout for f in FAMILIES if isinstance(f.layout, InPlace)}
BEFORE = [published.IDS["<|endoftext|>"], 70, 71, 72, 32, 33]
AFTER = [40, 41, 90, 91]


def opened(tmp_path, family, seed):
    kind = published.FORMS[family][0]
    base = published.reference(kind, seed=seed)
    return base, loaded(published.write(tmp_path, family, base))


def loaded(path):
    files = CheckpointFolder(path, family := family_of(path))
    model = Transformer(FloatWeights(files.config, files))
    tokenizer, contexts = Tokenizer(files.vocabulary()), PrefixCache(model)
    return filler_of(model, tokenizer, family.layout, Decoding.SEQUENTIAL, contexts)


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


@pytest.mark.parametrize(
    "family", [f for f, place in IN_PLACE.items() if place.end is None and not place.resize]
)
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
        filler._barred[filler._end] = True  # behind an end ours has nothing more to predict
        expected = llada(base, family, length, steps, block, filler.mask)
        assert expected[-1].count(None) == 0
        assert trace(filler, length, config) == expected


def dreamon(base, start, limit, alg):
    """DreamOn's `_sample` at temperature 0, one token a step: the hole after each of its steps."""
    mask, expand = published.IDS["<|mask|>"], published.IDS["<|expand|>"]
    delete = published.IDS["<|endoftext|>"]
    after = [*AFTER, delete]
    x = [*BEFORE, *[mask] * start, *after]
    everything = len(BEFORE) + limit + len(after)
    budget = 2 * limit
    states = []
    while mask in x:
        logits = base(torch.tensor([x]), attention_mask=torch.zeros(1, 1, len(x), len(x))).logits[0]
        logits = torch.cat([logits[:1], logits[:-1]])
        known = [*range(len(published.WORDS)), expand, delete]
        barred = torch.full_like(logits, -torch.inf)
        barred[:, known] = 0
        logits = logits + barred
        if len(x) == everything or not budget:
            logits[:, expand] -= 1e9
        places = [i for i, token in enumerate(x) if token == mask]
        probabilities = logits[places].softmax(-1)
        confidence, guess = probabilities.max(-1)
        if alg == "entropy":
            confidence = (probabilities * (probabilities + 1e-10).log()).sum(-1)
        best = int(confidence.argmax())
        token = int(guess[best])
        at = places[best]
        if token == expand:
            x[at : at + 1] = [mask, mask]
            budget -= 1
        elif token == delete:
            del x[at]
        else:
            x[at] = token
        states.append([None if t == mask else t for t in x[len(BEFORE) : -len(after)]])
    return states


def eager(base, names, by):
    """Make a model answer with some tokens more often."""
    head = base.lm_head.weight
    with torch.no_grad():
        for name in names:
            head[published.IDS[name]] *= by
    return base


@pytest.mark.parametrize(
    "resizes", [["<|expand|>"], ["<|endoftext|>"], ["<|expand|>", "<|endoftext|>"]]
)
def test_the_sampler_of_dreamon(tmp_path, resizes):
    grown = shrunk = 0
    for seed, (start, limit) in enumerate(
        [(1, 1), (4, 12), (8, 8), (6, 30), (2, 9), (5, 20), (3, 16)]
    ):
        base = eager(published.reference("qwen2", seed=seed), resizes, 6)
        path = published.write(tmp_path / str(seed), "dreamon", base)
        filler = loaded(path)
        after = [*AFTER, published.IDS["<|endoftext|>"]]
        steps = filler.steps(
            filler.denoiser([BEFORE, after]), Canvas.blank(start, filler.mask), limit
        )
        got = [
            [None if m else t for t, m in zip(s.canvas.ids.tolist(), s.canvas.masked, strict=True)]
            for s in steps
        ]
        expected = dreamon(base, start, limit, "entropy")
        assert got == expected
        assert None not in got[-1]
        grown += max(map(len, got)) > start
        shrunk += any(len(b) < len(a) for a, b in itertools.pairwise(got))
    assert grown or "<|expand|>" not in resizes
    assert shrunk or "<|endoftext|>" not in resizes


def test_dreamon_finds_the_length_itself(tmp_path):
    base = eager(published.reference("qwen2", seed=3), ["<|expand|>"], 6)
    filler = loaded(published.write(tmp_path, "dreamon", base))
    shape = HoleShape("def f(x):\n    return ", "\n", single_line=True)
    frames = []
    control = Control(on_frame=frames.append)
    drafts = list(filler.tries(shape, Ask(EFFORTS[Effort.QUICK], 12), control))
    assert len(drafts) == 2  # from 4 masks, and from 12, the most there may be
    assert control.forward_calls == control.steps == len(frames)
    assert max(len(frame.tokens) for frame in frames) == 12


def edited(base, prompt, tokens, size, barred, mask, commit, revise, sweeps):
    """LLaDA2.1's joint threshold decoding (arXiv:2602.08676): the blocks after each pass.

    Masks become tokens that are surer than `commit`, or else the surest one; at the same pass the
    block's other tokens, but for the prompt's, become what the model is surer of than `revise`.
    """
    total = -(-(len(prompt) + tokens) // size) * size
    x = [*prompt, *[mask] * (total - len(prompt))]
    states = []
    for start in range(len(prompt) // size * size, total, size):
        places = [p for p in range(start, start + size) if p >= len(prompt)]
        post = 0
        while True:
            masked = [p for p in places if x[p] == mask]
            if not masked:
                post += 1
                if post > sweeps:
                    break
            logits = published.read_in_blocks(base, x[: start + size], size)
            sureness, guess = logits.masked_fill(barred, -torch.inf).softmax(-1).max(-1)
            revealed = [p for p in masked if sureness[p] > commit]
            if masked and not revealed:
                revealed = [max(masked, key=lambda p: float(sureness[p]))]
            changed = [
                p
                for p in places
                if p not in masked and int(guess[p]) != x[p] and sureness[p] > revise
            ]
            if not revealed and not changed:
                break
            for p in revealed + changed:
                x[p] = int(guess[p])
            states.append([None if x[p] == mask else x[p] for p in places])
    return states


@pytest.mark.parametrize(
    ("commit", "revise", "sweeps"), [(0.5, 0.0, 16), (0.7, 0.5, 16), (0.95, 0.9, 16), (0.1, 0.1, 3)]
)
def test_token_editing(tmp_path, monkeypatch, commit, revise, sweeps):
    edits = 0
    steps = []
    monkeypatch.setattr("engine.in_blocks.show_step", lambda *seen: steps.append(seen[-1]))
    for seed, (length, tokens) in enumerate([(40, 20), (32, 33)]):
        base = published.reference("grouped", seed=seed)
        base.lm_head.weight.mul_(3)  # a model that is sure of something
        filler = loaded(published.write(tmp_path / str(seed), "llada2.1", base))
        assert filler._family.editing == Editing(commit=0.7, revise=0.5, sweeps=16)
        filler._family = replace(
            filler._family, editing=Editing(commit=commit, revise=revise, sweeps=sweeps)
        )
        filler._barred[filler.ends] = True  # an end stays where it is in ours
        prompt = [(31 * i + seed) % 256 for i in range(length)]
        steps.clear()
        config = filler.sampler(EFFORTS[Effort.QUICK].denoise)
        list(filler.blocks(prompt, tokens, config, Control()))
        got = [
            [None if m else t for t, m in zip(s.canvas.ids.tolist(), s.canvas.masked, strict=True)]
            for s in steps
        ]
        got = [state for before, state in itertools.pairwise([None, *got]) if state != before]
        size, barred = filler._family.block, filler._barred
        expected = edited(base, prompt, tokens, size, barred, filler.mask, commit, revise, sweeps)
        assert got == expected
        edits += max(int(s.canvas.revisions.max()) for s in steps)
    assert edits


def in_blocks(base, family, prompt, tokens, steps, threshold, filler):
    """Block diffusion as SDAR, LLaDA2 and Stable-DiffCoder publish it, at temperature 0.

    Those over the threshold, or else as many as the step is due; without a threshold these alone.
    Fast-dLLM v2: shifted, part by part, at least the surest one.
    """
    layout = IN_BLOCKS[family]
    size, mask = layout.block, filler.mask
    total = -(-(len(prompt) + tokens) // size) * size
    x = [*prompt, *[mask] * (total - len(prompt))]
    known = range(len(published.WORDS))
    for start in range(len(prompt) // size * size, total, size):
        for part in range(start, start + size, layout.part or size):
            places = range(part, part + (layout.part or size))
            due = sum(x[p] == mask for p in places)
            for i in range(steps):
                masked = [p for p in places if x[p] == mask]
                if not masked:
                    break
                logits = published.read_in_blocks(base, x[: start + size], size)
                if layout.shift:
                    logits = torch.cat([logits[:1], logits[:-1]])
                barred = torch.full_like(logits, -torch.inf)
                barred[:, [t for t in known if t != mask]] = 0
                sureness, guess = (logits + barred).softmax(-1).max(-1)
                masked.sort(key=lambda p: -sureness[p])
                count = due // steps + (i < due % steps)
                if threshold:
                    count = max(1, sum(float(sureness[p]) >= threshold for p in masked))
                for p in masked[:count]:
                    x[p] = int(guess[p])
    return x[len(prompt) :]


@pytest.mark.parametrize("family", IN_BLOCKS)
def test_the_sampler_in_blocks(tmp_path, family):
    kind, size = published.FORMS[family][0], IN_BLOCKS[family].block
    for seed, (length, tokens, steps, threshold) in enumerate(
        [(7, 9, 64, 0.05), (8, 5, 64, 0.9), (3 * size, size, 2, None), (1, 2 * size, 3, None)]
    ):
        base = published.reference(kind, seed=seed)
        filler = loaded(published.write(tmp_path / str(seed), family, base))
        filler._barred[filler.ends] = True  # behind an end ours has nothing more to predict
        prompt = [(31 * i + seed) % 256 for i in range(length)]
        config = DenoiseConfig(
            pacing=Pacing.THRESHOLD if threshold else Pacing.EVEN,
            steps=steps,
            max_revisions=0,
            commit_threshold=threshold or 0.9,
        )
        blocks = filler.blocks(prompt, tokens, config, Control())
        got = [token for step in blocks for token in step.canvas.ids.tolist()]
        expected = in_blocks(base, family, prompt, tokens, steps, threshold, filler)
        assert got == expected
