import math
from itertools import pairwise

import pytest
import torch

from engine.canvas import Canvas
from engine.config import DenoiseConfig, Pacing
from engine.denoise import denoise
from engine.errors import ConfigError

VOCAB = 12
VOID = VOCAB - 1


class Scripted:
    """Answers pass n with the n-th list of (token, probability); the last one again and again."""

    def __init__(self, *passes):
        self.passes = passes
        self.seen = []

    def __call__(self, canvas):
        script = self.passes[min(len(self.seen), len(self.passes) - 1)]
        self.seen.append(shown(canvas))
        logits = torch.zeros(len(canvas), VOCAB)
        for row, (token, p) in zip(logits, script, strict=True):
            row[token] = math.log(p / (1 - p) * (VOCAB - 1))
        return logits


def shown(canvas):
    return [
        None if masked else i
        for i, masked in zip(canvas.ids.tolist(), canvas.masked.tolist(), strict=True)
    ]


def run(denoiser, canvas, **options):
    config = DenoiseConfig(**{"commit_threshold": 0.8, "revise_threshold": 0.8} | options)
    return [shown(step.canvas) for step in denoise(denoiser, canvas, config)]


def test_tokens_are_committed_in_the_order_of_their_sureness():
    denoiser = Scripted(
        [(1, 0.5), (2, 0.9), (3, 0.6), (4, 0.85)],  # two over the threshold
        [(1, 0.5), (2, 0.9), (3, 0.6), (4, 0.85)],  # none: the surest
        [(1, 0.5), (2, 0.9), (3, 0.6), (4, 0.85)],
    )
    assert run(denoiser, Canvas.blank(4, VOID)) == [
        [None, 2, None, 4],
        [None, 2, 3, 4],
        [1, 2, 3, 4],
        [1, 2, 3, 4],  # the sweep that finds nothing to revise
    ]
    assert denoiser.seen == [
        [None, None, None, None],
        [None, 2, None, 4],
        [None, 2, 3, 4],
        [1, 2, 3, 4],
    ]


def test_everything_over_the_threshold_comes_at_once():
    denoiser = Scripted([(1, 0.9), (2, 0.9), (3, 0.9)])
    assert run(denoiser, Canvas.blank(3, VOID), max_revisions=0) == [[1, 2, 3]]


def test_where_nothing_is_sure_one_comes_at_a_time_ties_to_the_left():
    denoiser = Scripted([(1, 0.2), (2, 0.2), (3, 0.2)])
    assert run(denoiser, Canvas.blank(3, VOID), max_revisions=0) == [
        [1, None, None],
        [1, 2, None],
        [1, 2, 3],
    ]


def test_nothing_follows_a_committed_void():
    denoiser = Scripted([(1, 0.5), (VOID, 0.9), (3, 0.9), (4, 0.95)])
    assert run(denoiser, Canvas.blank(4, VOID), max_revisions=0) == [
        [None, VOID, VOID, VOID],
        [1, VOID, VOID, VOID],
    ]


def test_a_step_tells_what_the_model_saw():
    denoiser = Scripted([(1, 0.9), (2, 0.25)])
    step = next(denoise(denoiser, Canvas.blank(2, VOID), DenoiseConfig()))
    assert step.guess.tolist() == [1, 2]
    torch.testing.assert_close(step.sureness, torch.tensor([0.9, 0.25]))


def test_an_early_mistake_is_revised_later():
    denoiser = Scripted(
        [(7, 0.9), (2, 0.3), (3, 0.3)],
        [(7, 0.9), (2, 0.9), (3, 0.9)],
        [(1, 0.9), (2, 0.9), (3, 0.9)],  # now that it sees the rest
    )
    assert run(denoiser, Canvas.blank(3, VOID)) == [
        [7, None, None],
        [7, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
    ]


def test_a_committed_token_is_revised_while_others_are_masked():
    denoiser = Scripted([(7, 0.9), (2, 0.3)], [(1, 0.9), (2, 0.3)])
    assert run(denoiser, Canvas.blank(2, VOID))[:2] == [[7, None], [1, 2]]


def test_without_revisions_a_mistake_stays():
    denoiser = Scripted([(7, 0.9), (2, 0.3)], [(1, 0.9), (2, 0.3)])
    assert run(denoiser, Canvas.blank(2, VOID), max_revisions=0) == [[7, None], [7, 2]]


@pytest.mark.parametrize("max_revisions", [1, 2, 5])
def test_two_tokens_do_not_alternate_forever(max_revisions):
    denoiser = Scripted(*([[(1, 0.9)], [(2, 0.9)]] * 50))
    tokens = run(denoiser, Canvas.blank(1, VOID), max_revisions=max_revisions)
    changes = sum(a != b for a, b in pairwise(tokens))
    assert changes == max_revisions
    assert len(tokens) == max_revisions + 2


def test_growth_keeps_committed_tokens():
    short = Scripted([(1, 0.9), (2, 0.9)])
    *_, last = denoise(short, Canvas.blank(2, VOID), DenoiseConfig(commit_threshold=0.8))
    longer = Scripted([(1, 0.9), (2, 0.9), (3, 0.9), (VOID, 0.9)])
    assert run(longer, last.canvas.grown(4), max_revisions=0) == [[1, 2, 3, VOID]]
    assert longer.seen == [[1, 2, None, None]]


def test_a_text_is_revised_in_place():
    denoiser = Scripted([(1, 0.9), (5, 0.9), (3, 0.5)])
    assert run(denoiser, Canvas.of_text([1, 2, 4], VOID)) == [[1, 5, 4], [1, 5, 4]]


@pytest.mark.parametrize("seed", range(30))
def test_the_loop_ends(seed):
    generator = torch.Generator().manual_seed(seed)

    def denoiser(canvas):
        return torch.randn(len(canvas), VOCAB, generator=generator) * 6

    length = 1 + seed % 12
    config = DenoiseConfig(
        commit_threshold=0.5, revise_threshold=0.3, max_revisions=seed % 4, max_steps=10_000
    )
    steps = list(denoise(denoiser, Canvas.blank(length, VOID), config))
    assert len(steps) <= length + length * (seed % 4) + 2
    assert steps[-1].canvas.is_done
    assert int(steps[-1].canvas.revisions.max()) <= seed % 4
    masks = [length, *(int(s.canvas.masked.sum()) for s in steps)]
    for before, after in pairwise(masks):
        assert after < before or before == after == 0


def test_a_token_that_is_no_longer_likely_is_masked_again():
    passes = [[(7, 0.9), (2, 0.3)], [(1, 0.5), (2, 0.9)], [(1, 0.9), (2, 0.9)]]
    kept = run(Scripted(*passes), Canvas.blank(2, VOID), max_revisions=0)
    assert kept == [[7, None], [7, 2]]
    assert run(Scripted(*passes), Canvas.blank(2, VOID), revoke_threshold=0.1) == [
        [7, None],
        [None, 2],
        [1, 2],
        [1, 2],
    ]


def test_what_stays_the_likeliest_comes_sooner():
    passes = [[(1, 0.7), (2, 0.7), (3, 0.9)]]
    slow = run(Scripted(*passes), Canvas.blank(3, VOID), max_revisions=0)
    assert slow == [[None, None, 3], [1, None, 3], [1, 2, 3]]
    fast = run(Scripted(*passes), Canvas.blank(3, VOID), max_revisions=0, credit=0.7)
    assert fast == [[None, None, 3], [1, 2, 3]]


@pytest.mark.parametrize("pacing", [Pacing.THRESHOLD, Pacing.FACTOR, Pacing.ENTROPY])
@pytest.mark.parametrize("seed", range(8))
def test_the_loop_ends_whatever_is_switched_on(seed, pacing):
    generator = torch.Generator().manual_seed(seed)

    def denoiser(canvas):
        return torch.randn(len(canvas), VOCAB, generator=generator) * 6

    length, revisions = 1 + seed, seed % 3
    config = DenoiseConfig(
        pacing=pacing,
        credit=0.7 * (seed % 2),
        finish_gap=5.0 if seed % 3 else None,
        revoke_threshold=0.3,
        max_revisions=revisions,
        max_steps=10_000,
    )
    steps = list(denoise(denoiser, Canvas.blank(length, VOID), config))
    assert len(steps) <= 2 * length * (1 + revisions) + 2
    assert steps[-1].canvas.is_done
    assert int(steps[-1].canvas.revisions.max()) <= revisions


def test_the_number_of_steps_is_bounded():
    denoiser = Scripted([(1, 0.2)] * 5)
    assert len(run(denoiser, Canvas.blank(5, VOID), max_steps=3)) == 3


def test_closing_stops_the_loop():
    denoiser = Scripted([(1, 0.2)] * 5)
    steps = denoise(denoiser, Canvas.blank(5, VOID), DenoiseConfig())
    next(steps)
    steps.close()
    assert len(denoiser.seen) == 1
    assert list(steps) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("commit_threshold", 0.0),
        ("commit_threshold", 1.01),
        ("revise_threshold", -1.0),
        ("revoke_threshold", -0.1),
        ("credit", -1.0),
        ("max_revisions", -1),
        ("max_steps", -1),
    ],
)
def test_settings_out_of_bounds_are_named(name, value):
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        DenoiseConfig(**{name: value})


def test_lines_come_one_after_the_other():
    """However sure the model is of the second one, and whichever token of the first comes first."""
    ends_line = torch.zeros(VOCAB, dtype=torch.bool)
    ends_line[9] = True
    denoiser = Scripted([(1, 0.5), (9, 0.6), (3, 0.95), (4, 0.9)])
    config = DenoiseConfig(commit_threshold=0.8, max_revisions=0)
    steps = denoise(denoiser, Canvas.blank(4, VOID), config, ends_line=ends_line)
    assert [shown(step.canvas) for step in steps] == [
        [None, 9, None, None],
        [1, 9, None, None],
        [1, 9, 3, 4],
    ]
