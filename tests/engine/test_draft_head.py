"""The draft head, with random weights, and with functions in place of layers."""

import pytest
import tiny
import torch
from safetensors.torch import save_file

from engine.causal import NoDraft, Strand
from engine.draft_head import DraftHead, HeadDraft, read_draft_head
from engine.errors import CheckpointError
from engine.int8 import Int8Linear, Int8Weight
from engine.linear import FloatLinear
from engine.passes import Passes

PROMPT = [100, 101, 102, 32, 40, 41, 58, 10]
WIDTH, KNOWN = 48, 40


def random_head(*, seed=0, inner=16):
    generator = torch.Generator().manual_seed(seed)
    sizes = ((2 * inner, 2 * WIDTH), (WIDTH, inner), (KNOWN, WIDTH))
    layers = [FloatLinear(0.2 * torch.randn(size, generator=generator)) for size in sizes]
    return DraftHead(*layers, torch.randperm(256, generator=generator)[:KNOWN])


def counting_head(sureness):
    """Guesses 10, 11, 12, …, each with a probability of its own."""

    def read(states):
        place = int(states[0, 0])  # a state counts the steps
        share = sureness[place - 1]
        logits = torch.full((1, 21), (1 - share) / 20)
        logits[0, place - 1] = share
        return logits.log()

    return DraftHead(
        lambda x: torch.full((1, 2), 1.0), lambda _: torch.ones(1, 1), read, torch.arange(10, 31)
    )


class Known:
    def __init__(self, *tokens):
        self.tokens = list(tokens)

    def propose(self, emitted, state):
        return self.tokens


def vectors(ids):
    return torch.zeros(len(ids), 1)


@pytest.mark.parametrize(
    ("sureness", "count"),
    [
        ([0.9] * 20, 8),  # no more than that, however sure
        ([0.9, 0.9, 0.2, 0.9], 2),
        ([0.6, 0.6, 0.6, 0.9], 2),  # 0.36, and then 0.22
        ([0.2], 0),
    ],
)
def test_it_guesses_while_all_of_it_is_likely(sureness, count):
    guesses = counting_head(sureness).guess(torch.zeros(1), 9, vectors)
    assert guesses == list(range(10, 10 + count))


def decoded(model, draft, count=40):
    strand = Strand(model.new_cache(len(PROMPT) + 2 * count), PROMPT, draft)
    tokens = []
    for step in Passes(model).decode(strand):
        tokens += step.tokens
        if len(tokens) >= count:
            return tokens[:count]
    raise AssertionError("no room")


@pytest.mark.parametrize("seed", range(4))
def test_no_head_changes_the_outcome(reference, seed):
    model = tiny.transformer(reference(seed=seed))
    drafted = HeadDraft(random_head(seed=seed), model.embed, NoDraft())
    assert decoded(model, drafted) == decoded(model, NoDraft())


def test_it_is_asked_from_the_state_that_led_to_the_last_token(reference):
    model = tiny.transformer(reference())
    seen = []

    class Seeing(NoDraft):
        def propose(self, emitted, state):
            seen.append((list(emitted), state))
            return []

    tokens = decoded(model, Seeing())
    assert seen[0] == ([], None)
    for emitted, state in seen[1:]:
        text = [*PROMPT, *emitted[:-1]]
        states = model.encode(text, model.new_cache(len(text)))
        torch.testing.assert_close(state, states[-1], atol=1e-4, rtol=1e-4)
        assert int(model.logits(state[None]).argmax()) == emitted[-1]
    assert len(seen) == len(tokens)


def test_a_step_tells_states_and_tokens_apart(close):
    head = random_head()
    states, tokens = torch.randn(3, WIDTH), torch.randn(3, WIDTH)
    together = head.step(states, tokens)
    close(together, torch.cat([head.step(states[i, None], tokens[i, None]) for i in range(3)]))
    # Both are brought to one length first, so that neither drowns the other.
    close(head.step(states, 100 * tokens), together)
    assert not torch.allclose(head.step(states, tokens.flip(0)), together)


def test_what_the_context_knows_well_comes_first(reference):
    model = tiny.transformer(reference())
    state = torch.randn(WIDTH)
    head = random_head()
    sure = HeadDraft(head, model.embed, Known(1, 2, 3, 4))
    assert sure.propose(PROMPT, state) == [1, 2, 3, 4]
    # Before the first token there is no state to guess from.
    assert HeadDraft(head, model.embed, Known(1)).propose([], None) == [1]


def written(path, *, omit=(), base="base"):
    generator = torch.Generator().manual_seed(0)
    tensors = {"tokens": torch.arange(KNOWN, dtype=torch.int32)}
    for name, size in (("gate_up", (32, 2 * WIDTH)), ("down", (WIDTH, 16))):
        weight = Int8Weight.of(torch.randn(size, generator=generator))
        tensors |= {f"{name}.weight": weight.values, f"{name}.scale": weight.scale}
    save_file({k: v for k, v in tensors.items() if k not in omit}, path, {"base_sha256": base})
    return path


def test_a_head_is_read_and_reads_with_the_tokens_own_vectors(reference, tmp_path):
    model = tiny.transformer(reference(tied=True))
    head = read_draft_head(written(tmp_path / "h"), "base", model.embed, Int8Linear)
    guesses = head.guess(torch.randn(WIDTH), 5, model.embed)
    assert all(token < KNOWN for token in guesses)
    states = torch.randn(2, WIDTH)
    expected = states @ model.embed(torch.arange(KNOWN)).T
    torch.testing.assert_close(head._head(states), expected, atol=0.1, rtol=0.02)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ({"base": "another"}, "trained on another base model"),
        ({"omit": ("down.scale",)}, "is not a draft head"),
        ({"omit": ("tokens",)}, "is not a draft head"),
    ],
)
def test_a_wrong_file_is_named(reference, tmp_path, made, says):
    model = tiny.transformer(reference())
    with pytest.raises(CheckpointError, match=says):
        read_draft_head(written(tmp_path / "h", **made), "base", model.embed, Int8Linear)


def test_a_damaged_file_is_named(reference, tmp_path):
    (tmp_path / "h").write_bytes(b"no tensors")
    model = tiny.transformer(reference())
    for path in (tmp_path / "h", tmp_path / "missing"):
        with pytest.raises(CheckpointError, match="is not a draft head"):
            read_draft_head(path, "base", model.embed, Int8Linear)
