import pytest
import torch

from engine.canvas import Canvas

VOID = 9


def canvas(*ids):
    """A canvas of these tokens; None is masked."""
    masked = torch.tensor([i is None for i in ids])
    tokens = torch.tensor([VOID if i is None else i for i in ids])
    return Canvas(tokens, masked, torch.zeros(len(ids), dtype=torch.long), VOID)


def shown(made):
    return [
        None if masked else i
        for i, masked in zip(made.ids.tolist(), made.masked.tolist(), strict=True)
    ]


def at(length, *places):
    where = torch.zeros(length, dtype=torch.bool)
    where[list(places)] = True
    return where


def test_a_blank_canvas_is_all_masks():
    blank = Canvas.blank(3, VOID)
    assert shown(blank) == [None, None, None]
    assert blank.ids.tolist() == [VOID] * 3
    assert (len(blank), blank.is_done, blank.has_end, blank.text_ids()) == (3, False, False, [])


def test_a_canvas_of_text_has_no_masks():
    made = Canvas.of_text([4, 5], VOID)
    assert shown(made) == [4, 5]
    assert (made.is_done, made.has_end, made.text_ids()) == (True, False, [4, 5])


@pytest.mark.parametrize(
    ("ids", "text", "has_end"),
    [
        ((1, 2, 3), [1, 2, 3], False),
        ((1, None, 3), [1, 3], False),
        ((1, VOID, VOID), [1], True),
        ((None, 2, VOID), [2], True),
        ((VOID, VOID), [], True),
    ],
)
def test_the_text_stands_in_front_of_the_end(ids, text, has_end):
    assert canvas(*ids).text_ids() == text
    assert canvas(*ids).has_end == has_end


def test_writing_commits_only_where_asked():
    before = canvas(None, None, 3)
    after = before.write(torch.tensor([1, 2, 4]), at(3, 0))
    assert shown(after) == [1, None, 3]
    assert after.revisions.tolist() == [0, 0, 0]
    assert shown(before) == [None, None, 3]


def test_a_changed_token_counts_as_revised_and_the_same_does_not():
    after = canvas(1, 2, None).write(torch.tensor([5, 2, 3]), at(3, 0, 1, 2))
    assert shown(after) == [5, 2, 3]
    assert after.revisions.tolist() == [1, 0, 0]


def test_nothing_follows_a_void():
    after = canvas(1, None, None, 4).write(torch.tensor([0, VOID, 3, 0]), at(4, 1))
    assert shown(after) == [1, VOID, VOID, VOID]
    assert after.is_done
    both = canvas(None, None, None).write(torch.tensor([1, VOID, 3]), at(3, 0, 1, 2))
    assert shown(both) == [1, VOID, VOID]


def test_a_masked_position_is_no_end():
    after = canvas(None, None, None).write(torch.tensor([1, 2, 3]), at(3, 2))
    assert shown(after) == [None, None, 3]


def test_masking_takes_tokens_back():
    after = canvas(1, 2, 3).mask(at(3, 1))
    assert shown(after) == [1, None, 3]
    assert after.ids.tolist() == [1, VOID, 3]


def test_growth_keeps_committed_tokens_and_their_history():
    before = canvas(1, None, 3).write(torch.tensor([5, 0, 0]), at(3, 0))
    after = before.grown(6)
    assert shown(after) == [5, None, 3, None, None, None]
    assert after.revisions.tolist() == [1, 0, 0, 0, 0, 0]
    assert after.void == VOID


def test_several_holes_are_one_canvas():
    holes = [canvas(1, None), canvas(None, None, 3), canvas(None)]
    made = Canvas.joined(holes)
    assert shown(made) == [1, None, None, None, 3, None]
    assert (made.seams, made.lengths, len(made)) == ((2, 5), (2, 3, 1), 6)
    assert [shown(part) for part in made.parts()] == [shown(hole) for hole in holes]
    assert [part.lengths for part in made.parts()] == [(2,), (3,), (1,)]


def test_a_void_ends_its_own_hole_alone():
    made = Canvas.joined([canvas(1, None, None), canvas(None, 5, None)])
    guess = torch.tensor([1, VOID, 7, VOID, 4, 8])
    made = made.write(guess, at(6, 1, 5))
    assert shown(made) == [1, VOID, VOID, None, 5, 8]
    assert [part.has_end for part in made.parts()] == [True, False]
    assert [part.text_ids() for part in made.parts()] == [[1], [5, 8]]
    assert shown(made.write(guess, at(6, 3))) == [1, VOID, VOID, VOID, VOID, VOID]
