import random

import pytest

from grammars.span import Replacement, Span, apply, landed, minimal


def _changed(rng, awkward, text):
    a, b = sorted(rng.randrange(len(text) + 1) for _ in range(2))
    old = text[a:b]
    # Often nearly the old text, so that there is something to trim.
    cut = rng.randrange(len(old) + 1)
    new = rng.choice([awkward(rng), old[:cut] + awkward(rng) + old[cut:], old])
    return Replacement(Span(a, b), new)


@pytest.mark.parametrize("seed", range(40))
def test_minimal_says_the_same_with_less(seed, awkward):
    rng = random.Random(seed)
    for _ in range(50):
        text = awkward(rng)
        whole = _changed(rng, awkward, text)
        small = minimal(text, whole)
        assert apply(text, [small]) == apply(text, [whole])
        assert whole.span.start <= small.span.start
        assert small.span.end <= whole.span.end
        assert minimal(text, small) == small


@pytest.mark.parametrize("seed", range(40))
def test_minimal_splits_no_crlf(seed):
    rng = random.Random(seed)
    for _ in range(50):
        text = "".join(rng.choices("a\r\n", k=8))
        a, b = sorted(rng.randrange(9) for _ in range(2))
        # What splits a pair already as asked is not ours to mend.
        if any(text[i - 1 : i + 1] == "\r\n" for i in (a, b) if i):
            continue
        whole = Replacement(Span(a, b), "".join(rng.choices("a\r\n", k=rng.randrange(6))))
        new = apply(text, [whole])
        small = minimal(text, whole)
        start = small.span.start
        for side, edge in (
            (text, start),
            (text, small.span.end),
            (new, start),
            (new, start + len(small.text)),
        ):
            joined = a < start or small.span.end < b
            if joined and edge not in (a, b, a + len(whole.text)):
                assert side[max(edge - 1, 0) : edge + 1] != "\r\n"


@pytest.mark.parametrize("seed", range(10))
def test_minimal_trims_all_there_is_without_crlf(seed):
    rng = random.Random(seed)
    for _ in range(100):
        text, new = ("".join(rng.choices("ab\n", k=rng.randrange(9))) for _ in range(2))
        small = minimal(text, Replacement(Span(0, len(text)), new))
        old = small.span.of(text)
        assert not (old and small.text and old[0] == small.text[0])
        assert not (old and small.text and old[-1] == small.text[-1])


@pytest.mark.parametrize(
    ("text", "span", "new", "expected"),
    [
        ("a\nb\nc\n", Span(0, 6), "a\nX\nc\n", Replacement(Span(2, 3), "X")),
        ("a\r\nb\r\n", Span(0, 6), "a\r\nX\r\n", Replacement(Span(3, 4), "X")),
        ("a\r\nb", Span(0, 4), "a\rb", Replacement(Span(1, 3), "\r")),
        ("a\rb", Span(0, 3), "a\r\nb", Replacement(Span(1, 2), "\r\n")),
        ("a\nb", Span(0, 3), "a\r\nb", Replacement(Span(1, 2), "\r\n")),
        ("a\r\nb", Span(0, 2), "a\r", Replacement(Span(0, 0), "")),
        ("same", Span(1, 3), "am", Replacement(Span(1, 1), "")),
        ("", Span(0, 0), "new", Replacement(Span(0, 0), "new")),
    ],
)
def test_minimal_by_example(text, span, new, expected):
    assert minimal(text, Replacement(span, new)) == expected


@pytest.mark.parametrize("seed", range(20))
def test_replacements_land_where_landed_says(seed, awkward):
    rng = random.Random(seed)
    text = "".join(awkward(rng) for _ in range(4))
    cuts = sorted(rng.sample(range(len(text) + 1), min(6, len(text) // 2 * 2)))
    edits = [
        Replacement(Span(a, b), awkward(rng)) for a, b in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    rng.shuffle(edits)
    new = apply(text, edits)
    places = landed(edits)
    by_span = {r.span: r.text for r in edits}
    assert [old for old, _ in places] == sorted(by_span)
    assert all(at.of(new) == by_span[old] for old, at in places)
    # What lies between them is untouched.
    ends = [(0, 0), *((old.end, at.end) for old, at in places)]
    starts = [*((old.start, at.start) for old, at in places), (len(text), len(new))]
    for (old_end, new_end), (old_start, new_start) in zip(ends, starts, strict=True):
        assert text[old_end:old_start] == new[new_end:new_start]


def test_apply_refuses_overlaps_and_what_leaves_the_text():
    with pytest.raises(ValueError, match="overlaps"):
        apply("abcd", [Replacement(Span(0, 2), ""), Replacement(Span(1, 3), "")])
    with pytest.raises(ValueError, match="leaves"):
        apply("abcd", [Replacement(Span(3, 5), "")])


def test_spans():
    assert Span(2, 2)
    assert len(Span(2, 5)) == 3
    assert Span(1, 3).of("abcd") == "bc"
    assert Span(0, 3).overlaps(Span(2, 4))
    assert not Span(0, 2).overlaps(Span(2, 4))
    for start, end in ((2, 1), (-1, 0)):
        with pytest.raises(ValueError, match="not a span"):
            Span(start, end)
