import random

import published
import pytest
import tiny
import torch

from engine.canvas import Canvas
from engine.config import EXACT, Refresh
from engine.errors import ConfigError
from engine.in_place_denoiser import InPlaceDenoiser

MASK, VOID, VOCAB = 7, 8, len(tiny.vocabulary().tokens)
NOTHING_BARRED = torch.zeros(VOCAB, dtype=torch.bool)


def blank(*lengths):
    return Canvas.joined([Canvas.blank(length, VOID) for length in lengths])


def written(canvas, rng, count):
    """Commit random tokens at some masked positions."""
    where = torch.zeros(len(canvas), dtype=torch.bool)
    masked = canvas.masked.nonzero()[:, 0].tolist()
    where[rng.sample(masked, min(count, len(masked)))] = True
    return canvas.write(torch.tensor([rng.randrange(10, 90) for _ in canvas.ids]), where)


def grown(canvas, rng):
    return Canvas.joined([part.grown(len(part) + rng.randrange(4)) for part in canvas.parts()])


def text_around(rng, holes):
    return [
        [rng.randrange(10, 90) for _ in range(rng.randrange(i == 0, 40))] for i in range(holes + 1)
    ]


def expected(base, around, canvas, shift):
    """Transformers' class on the text with masks in it, its logits read at every hole."""
    ids, places = [], []
    parts = [*canvas.parts(), None]
    for run, part in zip(around, parts, strict=True):
        ids += run
        if part is not None:
            places += range(len(ids), len(ids) + len(part))
            ids += torch.where(part.masked, MASK, part.ids).tolist()
    return published.read_all(base, ids)[[place - shift for place in places]]


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("seed", range(6))
def test_refreshed_every_time_it_is_exact(reference, close, shift, seed):
    rng, base = random.Random(seed), reference(seed=seed % 2)
    around = text_around(rng, holes := rng.randrange(1, 5))
    denoiser = InPlaceDenoiser(
        tiny.transformer(base), MASK, shift, around, NOTHING_BARRED, Refresh(every=1, vicinity=seed)
    )
    canvas = blank(*(rng.randrange(1, 9) for _ in range(holes)))
    for step in range(8):
        close(denoiser(canvas), expected(base, around, canvas, shift))
        canvas = grown(canvas, rng) if step in (3, 5) else written(canvas, rng, 2)


@pytest.mark.parametrize("shift", [0, 1])
def test_a_vicinity_that_holds_everything_is_exact(reference, close, shift):
    rng, base = random.Random(shift), reference()
    around = text_around(rng, 3)
    refresh = Refresh(every=100, changed=1.0, vicinity=40)
    denoiser = InPlaceDenoiser(tiny.transformer(base), MASK, shift, around, NOTHING_BARRED, refresh)
    canvas = blank(3, 5, 1)
    for step in range(8):
        close(denoiser(canvas), expected(base, around, canvas, shift))
        canvas = grown(canvas, rng) if step % 2 else written(canvas, rng, 2)


@pytest.mark.parametrize("shift", [0, 1])
def test_while_no_hole_changes_what_is_kept_is_right(reference, close, shift):
    rng, base = random.Random(shift), reference()
    around, canvas = text_around(rng, 2), blank(4, 6)
    refresh = Refresh(every=100, vicinity=2)
    denoiser = InPlaceDenoiser(tiny.transformer(base), MASK, shift, around, NOTHING_BARRED, refresh)
    for _ in range(3):
        close(denoiser(canvas), expected(base, around, canvas, shift))
    size, near = sum(map(len, around)) + 10, 10 + 4 * 2
    assert size + 2 * (near - 4) <= denoiser.tokens_run <= size + 2 * near


def runs(refresh, canvases, around=((1,) * 50, (2,) * 50)):
    """How many tokens each pass runs."""
    denoiser = InPlaceDenoiser(tiny.transformer(), MASK, 0, around, NOTHING_BARRED, refresh)
    counts = []
    for canvas in canvases:
        before = denoiser.tokens_run
        denoiser(canvas)
        counts.append(denoiser.tokens_run - before)
    return counts


def test_everything_is_computed_every_so_often():
    assert runs(Refresh(every=3, vicinity=5), [blank(4)] * 7) == [104, 14, 14, 104, 14, 14, 104]
    assert runs(EXACT, [blank(4)] * 3) == [104] * 3


def test_everything_is_computed_when_much_has_changed():
    rng = random.Random(0)
    one = written(blank(8), rng, 2)  # a quarter
    two = written(one, rng, 1)
    three = written(two, rng, 2)
    refresh = Refresh(every=99, changed=0.25, vicinity=1)
    assert runs(refresh, [blank(8), one, two, three, one]) == [108, 10, 108, 10, 10]


def test_a_hole_that_grows_or_shrinks_is_no_change_of_its_tokens():
    refresh = Refresh(every=99, changed=0.25, vicinity=1)
    assert runs(refresh, [blank(4), blank(8), blank(2), blank(64)]) == [104, 10, 4, 66]


def test_vicinities_that_touch_are_run_once():
    around = ((1,) * 20, (2,) * 5, (), (3,) * 2)
    refresh = Refresh(every=9, vicinity=4)
    assert runs(refresh, [blank(3, 3, 3)] * 2, around) == [36, 4 + 3 + 5 + 3 + 0 + 3 + 2]


def test_a_bad_way_to_refresh_is_refused():
    for options in ({"every": 0}, {"every": 1, "vicinity": -1}, {"every": 1, "changed": 1.5}):
        with pytest.raises(ConfigError, match="not a way to refresh"):
            Refresh(**options)
