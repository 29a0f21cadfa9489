import itertools
import random

import pytest
import tiny
import torch

from engine.causal import NoDraft, Strand, greedy, sampler
from engine.draft import OldTextDraft
from engine.passes import Passes

PROMPT = [100, 101, 102, 32, 40, 41, 58, 10]
COUNT = 40


class Told:
    """Proposes the tokens that `known` has behind those emitted, up to `run` of them."""

    def __init__(self, known, run=8):
        self.known, self.run = known, run

    def propose(self, emitted, state):
        return self.known[len(emitted) : len(emitted) + self.run]


class Made:
    """Proposes whatever a function of the emitted tokens returns."""

    def __init__(self, propose):
        self.propose = propose


def run(model, draft, *, count=COUNT, pick=greedy, capacity=None, adapted=False):
    """The first `count` tokens, their scores, and the number of passes they took."""
    cache = model.new_cache(capacity or len(PROMPT) + 2 * count)
    tokens, scores, passes = [], [], 0
    steps = Passes(model).decode(Strand(cache, PROMPT, draft, pick), adapted=adapted)
    for step in steps:
        passes += 1
        assert len(step.tokens) == len(step.logprobs) >= 1
        tokens += step.tokens
        scores += step.logprobs
        if len(tokens) >= count:
            break
    return tokens[:count], scores[:count], passes


@pytest.fixture
def model(reference):
    return tiny.transformer(reference())


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
@pytest.mark.parametrize("seed", [0, 1])
def test_sequential_greedy_is_that_of_transformers(reference, architecture, seed):
    base = reference(architecture, seed=seed)
    expected = base.generate(
        torch.tensor([PROMPT]),
        attention_mask=torch.ones(1, len(PROMPT)),
        do_sample=False,
        max_new_tokens=COUNT,
    )[0, len(PROMPT) :]
    tokens, _, passes = run(tiny.transformer(base), NoDraft())
    assert tokens == expected.tolist()
    assert len(set(tokens)) > 5
    assert passes == COUNT


def test_scores_are_the_log_probabilities_of_the_tokens(model, close):
    tokens, scores, _ = run(model, NoDraft())
    ids = [*PROMPT, *tokens]
    logits = model.logits(model.encode(ids, model.new_cache(len(ids))))[len(PROMPT) - 1 : -1]
    expected = logits.log_softmax(-1).gather(1, torch.tensor(tokens)[:, None])[:, 0]
    close(torch.tensor(scores), expected)


@pytest.mark.parametrize("seed", range(8))
def test_no_draft_changes_the_outcome(model, seed):
    rng = random.Random(seed)
    sequential, scores, _ = run(model, NoDraft())
    long, _, _ = run(model, NoDraft(), count=COUNT + 40)

    def propose(emitted, state):
        right = long[len(emitted) : len(emitted) + rng.randrange(12)]
        wrong = [rng.randrange(256) for _ in range(rng.randrange(6))]
        return rng.choice([[], right, wrong, right + wrong, wrong + right])

    tokens, drafted_scores, _ = run(model, Made(propose))
    assert tokens == sequential
    torch.testing.assert_close(drafted_scores, scores, atol=1e-4, rtol=0)


def test_a_perfect_draft_needs_few_passes(model):
    long, _, _ = run(model, NoDraft(), count=COUNT + 20)
    tokens, _, passes = run(model, Told(long, run=7))
    assert tokens == long[:COUNT]
    assert passes == COUNT // 8


def test_a_draft_that_is_always_wrong_costs_nothing_but_room(model):
    long, _, _ = run(model, NoDraft(), count=COUNT + 40)

    def propose(emitted, state):
        return [(token + 1) % 256 for token in long[len(emitted) :][:10]]

    tokens, _, passes = run(model, Made(propose))
    assert tokens == long[:COUNT]
    assert passes == COUNT


def test_a_draft_right_up_to_its_last_token_is_used_up_to_there(model):
    long, _, _ = run(model, NoDraft(), count=COUNT + 40)

    def propose(emitted, state):
        right = long[len(emitted) : len(emitted) + 4]
        return [*right[:3], (right[3] + 1) % 256]

    tokens, _, passes = run(model, Made(propose))
    assert tokens == long[:COUNT]
    assert passes == COUNT // 4


def test_the_old_text_as_a_draft(model):
    long, _, _ = run(model, NoDraft(), count=COUNT + 40)
    old = [*long[:10], 1, 2, 3, *long[12:]]
    tokens, _, passes = run(model, OldTextDraft(old))
    assert tokens == long[:COUNT]
    assert passes < COUNT // 4


@pytest.mark.parametrize("draft", [NoDraft(), Told([5] * 99), "perfect"])
def test_a_full_cache_ends_it(model, draft):
    sequential, _, _ = run(model, NoDraft())
    draft = Told(sequential) if draft == "perfect" else draft
    tokens, _, _ = run(model, draft, capacity=len(PROMPT) + 9)
    assert tokens == sequential[:10]
    cache = model.new_cache(len(PROMPT) - 1)
    assert list(Passes(model).decode(Strand(cache, PROMPT, draft))) == []


def test_decoding_goes_on_behind_a_context(model):
    cache = model.new_cache(200)
    model.encode(PROMPT[:5], cache)
    cache.keep(5)
    strand = Strand(cache, PROMPT[5:], NoDraft())
    steps = itertools.islice(Passes(model).decode(strand), 10)
    assert [t for step in steps for t in step.tokens] == run(model, NoDraft(), count=10)[0]


def test_the_same_seed_draws_the_same_tokens(model):
    def drawn(seed, temperature=1.0):
        return run(model, NoDraft(), pick=sampler(temperature, seed))[0]

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)
    assert drawn(3, 1e-6) == run(model, NoDraft())[0]


def test_draws_follow_the_probabilities():
    logits = torch.tensor([0.7, 0.2, 0.1]).log().repeat(4000, 1)
    drawn = sampler(1.0, 0)(logits)
    shares = torch.bincount(drawn, minlength=3) / 4000
    torch.testing.assert_close(shares, torch.tensor([0.7, 0.2, 0.1]), atol=0.03, rtol=0)
