"""The draft head, with random weights, and with functions in place of layers."""

import pytest
import tiny
import torch
from safetensors.torch import save_file

from engine.causal import NoDraft, Strand
from engine.draft import ContextDraft, OldTextDraft
from engine.draft_head import DraftHead, read_draft_head
from engine.errors import CheckpointError
from engine.int8 import Int8Weight
from engine.linear import FloatLinear
from engine.passes import Passes

PROMPT = [100, 101, 102, 32, 40, 41, 58, 10]
WIDTH, KNOWN = 48, 40


def random_head(embed=None, *, seed=0, inner=16):
    generator = torch.Generator().manual_seed(seed)
    sizes = ((2 * inner, 2 * WIDTH), (WIDTH, inner), (KNOWN, WIDTH))
    layers = [FloatLinear(0.2 * torch.randn(size, generator=generator)) for size in sizes]
    return DraftHead(*layers, torch.randperm(256, generator=generator)[:KNOWN], embed)


def counting_head(sureness):
    """Guesses 10, 11, 12, …, each with a probability of its own; from a state 1 itself, 10, too."""

    def read(states):
        place = int(states[0, 0])  # a state counts the steps
        share = sureness[place - 1]
        logits = torch.full((1, 21), (1 - share) / 20)
        logits[0, place - 1] = share
        return logits.log()

    layers = (lambda x: torch.full((1, 2), 1.0), lambda _: torch.ones(1, 1), read)
    return DraftHead(*layers, torch.arange(10, 31), lambda ids: torch.zeros(len(ids), 1))


@pytest.mark.parametrize(
    ("sureness", "count"),
    [
        ([0.99] * 21, 13),  # nine of ten that it is certain of come true: 0.22 in the end
        ([0.9, 0.9, 0.2, 0.9], 2),
        ([0.6, 0.6, 0.6, 0.9], 2),  # 0.29, and then 0.16
        ([0.2], 0),
    ],
)
def test_it_guesses_while_all_of_it_is_likely(sureness, count):
    guesses = OldTextDraft([], counting_head(sureness)).propose([9], torch.zeros(1))
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
    expected, head = decoded(model, NoDraft()), random_head(model.embed, seed=seed)
    start = model.encode(PROMPT, model.new_cache(20))[-1]
    assert decoded(model, ContextDraft(PROMPT, PROMPT[::-1], head, start)) == expected
    assert decoded(model, ContextDraft(PROMPT, PROMPT[::-1], head)) == expected
    assert decoded(model, OldTextDraft([*expected[:9], 7, *expected[12:]], head)) == expected


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


def test_the_first_guess_is_what_the_text_in_front_leads_to():
    head = counting_head([0.9, 0.9, 0.1])
    start = torch.ones(1)
    assert ContextDraft([], [], head, start).propose([], None) == [10, 11]
    # What the context is sure of stands.
    text = [1, 2, 3, 4, 6, 1, 2, 3, 4]
    assert ContextDraft(text, [], head, start).propose([], None)[0] == 6
    assert ContextDraft([], [], counting_head([0.1]), start).propose([], None) == []
    # Later on it leads to nothing, nor when all that it led to was taken back.
    draft = ContextDraft([], [], head, start)
    assert draft.propose([], None) == [10, 11]
    assert draft.propose([9], None) == draft.propose([], None) == []


def test_the_first_guess_goes_on_behind_what_is_given():
    head, start = counting_head([0.9] * 21), torch.ones(1)
    draft = ContextDraft([], [], head, start)
    assert draft.propose([8, 9], None)[0] == 11  # a step behind what the state itself leads to
    assert draft.propose([8, 9], None) == []


def test_a_guess_is_taken_where_it_is_likelier_than_what_the_context_says():
    head, state = counting_head([0.7, 0.5, 0.9, 0.2]), torch.zeros(1)
    # 5 was followed by 6 once: less likely than the guess.
    assert ContextDraft([5, 6, 4, 5], [], head).propose([3, 5], state)[:1] == [10]
    unsure = counting_head([0.1, 0.1])
    assert ContextDraft([5, 6, 4], [], unsure).propose([5], state) == [6]
    # Three tokens and what followed them: the head is not asked.
    known = ContextDraft([1, 2, 3, 6, 7], [], None).propose([1, 2, 3])
    assert known[:2] == [6, 7]
    assert ContextDraft([1, 2, 3, 6, 7], [], head).propose([1, 2, 3], state) == known


def test_both_together_are_likelier_than_either():
    head, state = counting_head([0.3, 0.3, 0.3]), torch.zeros(1)
    text = [5, 10, 11, 8, 8]
    assert ContextDraft(text, [], head).propose([5], state) == [10, 11]
    assert ContextDraft(text, []).propose([5]) == [10]
    assert ContextDraft([], [], head).propose([5], state) == [10]


def test_nothing_is_guessed_behind_the_last_token():
    head, state = counting_head([0.9] * 21), torch.zeros(1)
    for last, found in ((10, [10]), (12, [10, 11, 12])):
        assert ContextDraft([], [], head, None, last.__eq__).propose([5], state) == found
    # Nor is what the context goes on with.
    text = [1, 2, 3, 4, 6, 7, 8]
    assert ContextDraft(text, [], None, None, (6).__eq__).propose([1, 2, 3, 4]) == [6]


def test_without_a_state_there_is_no_guess():
    head = counting_head([0.9] * 21)
    assert ContextDraft([], [], head).propose([], None) == []
    assert OldTextDraft([], head).propose([], None) == []


def test_a_rewrite_is_guessed_where_it_has_left_the_old_text():
    head, state = counting_head([0.9, 0.9, 0.1]), torch.zeros(1)
    old = list(range(40, 60))
    draft = OldTextDraft(old, head)
    assert draft.propose([40], state) == old[1:]
    assert draft.propose([40, 99], state) == [10, 11]
    assert draft.propose([40, 99, 42, 43, 44], state) == old[5:]
    unsure = OldTextDraft(old, counting_head([0.1]))
    assert unsure.propose([40, 99], state) == old[1:3]


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
    head = read_draft_head(written(tmp_path / "h"), "base", model.embed)
    guesses = OldTextDraft([], head).propose([5], torch.randn(WIDTH))
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
        read_draft_head(written(tmp_path / "h", **made), "base", model.embed)


def test_a_damaged_file_is_named(reference, tmp_path):
    (tmp_path / "h").write_bytes(b"no tensors")
    model = tiny.transformer(reference())
    for path in (tmp_path / "h", tmp_path / "missing"):
        with pytest.raises(CheckpointError, match="is not a draft head"):
            read_draft_head(path, "base", model.embed)
