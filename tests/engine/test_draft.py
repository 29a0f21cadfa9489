import itertools
import random

import pytest

from engine.draft import ContextDraft, OldTextDraft

OLD = list(range(100, 160))
RUN, LOST_RUN = 24, 2


def proposals(old, new):
    """What is proposed before each token of `new`, and at its end."""
    draft = OldTextDraft(old)
    return [draft.propose(new[:n]) for n in range(len(new) + 1)]


def passes(old, new):
    """How many passes verifying takes: each yields what was agreed and one token more."""
    draft, emitted, count = OldTextDraft(old), [], 0
    while len(emitted) < len(new):
        guess = draft.propose(emitted)
        agreed = 0
        rest = new[len(emitted) :]
        while agreed < min(len(guess), len(rest)) and guess[agreed] == rest[agreed]:
            agreed += 1
        emitted += rest[: agreed + 1]
        count += 1
    return count


def test_the_old_text_is_proposed_as_it_is():
    made = proposals(OLD, OLD)
    assert made == [OLD[n : n + RUN] for n in range(len(OLD) + 1)]
    assert passes(OLD, OLD) == -(-len(OLD) // (RUN + 1))


def test_nothing_is_proposed_behind_the_old_text():
    assert proposals(OLD, [*OLD, 1, 2])[-3:] == [[], [], []]
    assert OldTextDraft([]).propose([]) == []
    assert OldTextDraft([]).propose([1, 2]) == []


def test_an_insertion_leaves_the_place():
    made = proposals(OLD, [*OLD[:5], 1, 2, *OLD[5:]])
    assert made[6] == made[7] == OLD[5 : 5 + LOST_RUN]
    assert made[8] == OLD[6 : 6 + LOST_RUN]
    assert made[10] == OLD[8 : 8 + RUN], "three tokens are sure"


@pytest.mark.parametrize("behind", [6, 9, 40])
def test_a_deletion_skips_what_is_gone(behind):
    made = proposals(OLD, [*OLD[:5], *OLD[behind:]])
    assert made[5] == OLD[5 : 5 + RUN]
    assert made[6] == OLD[behind + 1 : behind + 1 + LOST_RUN]
    assert made[8] == OLD[behind + 3 : behind + 3 + RUN]


def test_a_substitution_is_left_behind():
    made = proposals(OLD, [*OLD[:5], 1, *OLD[6:]])
    assert made[6] == OLD[5 : 5 + LOST_RUN]
    assert made[7] == OLD[7 : 7 + LOST_RUN]
    assert made[9] == OLD[9 : 9 + RUN]


def test_a_wrong_way_back_is_left_again():
    """A token that also stands far below must not hide what lies between."""
    old = [*OLD[:10], 7, *OLD[10:]]
    new = [*OLD[:3], 7, 9, *OLD[3:10], 7, *OLD[10:]]
    assert passes(old, new) <= 8


@pytest.mark.parametrize("seed", range(20))
def test_proposals_are_runs_of_the_old_text(seed):
    rng = random.Random(seed)
    old = rng.choices(range(6), k=rng.randrange(40))
    new = [*rng.choices(range(8), k=rng.randrange(20)), *old, *rng.choices(range(8), k=5)]
    for made in proposals(old, new):
        assert len(made) <= RUN
        assert made == [] or any(old[i : i + len(made)] == made for i in range(len(old)))


@pytest.mark.parametrize("seed", range(10))
def test_it_does_not_matter_how_many_tokens_come_at_once(seed):
    rng = random.Random(seed)
    new = [*OLD[:8], *rng.choices(OLD, k=10), *OLD[12:]]
    each = proposals(OLD, new)
    draft = OldTextDraft(OLD)
    shown = sorted(rng.sample(range(len(new) + 1), 6))
    assert [draft.propose(new[:n]) for n in shown] == [each[n] for n in shown]


def test_few_changes_cost_few_passes():
    new = [*OLD[:10], 1, 2, *OLD[11:30], *OLD[33:50], 3, *OLD[50:]]
    assert passes(OLD, new) <= 9


def test_what_followed_before_is_proposed():
    draft = ContextDraft([1, 2, 3, 4, 5, 9, 1, 2, 3], [])
    # Three tokens agree, then four, five and six: 0.6, 0.4, 0.29 and 0.21 in the end.
    assert draft.propose([]) == [4, 5, 9, 1]


def test_the_longer_the_match_the_longer_the_run():
    text = list(range(100, 140))
    draft = ContextDraft([*text, 1, 100], [])
    assert draft.propose([]) == [101]
    assert draft.propose([101]) == [102, 103]
    assert draft.propose([101, 102]) == [103, 104, 105, 106]
    assert len(draft.propose(list(range(101, 109)))) == 11
    assert draft.propose([*range(101, 109), 7]) == []
    assert draft.propose([*range(101, 109), 7, 100]) == [101]


def test_the_longest_match_and_the_nearest_place_decide():
    assert ContextDraft([1, 2, 7, 3, 2, 8, 1, 2], []).propose([]) == [7, 3]
    assert ContextDraft([2, 7, 5, 2, 8, 6, 2], []).propose([]) == [8]


def test_text_behind_the_hole_is_known_but_not_joined_to_text_before_it():
    assert ContextDraft([9, 1], [1, 5, 6]).propose([]) == [5]
    assert ContextDraft([9, 1, 5], [9, 1, 5, 6]).propose([]) == [6]
    assert ContextDraft([4, 1], [7, 1]).propose([]) == []
    assert ContextDraft([4], [3, 4]).propose([]) == []
    assert ContextDraft([], [1, 2]).propose([]) == []
    assert ContextDraft([], []).propose([5, 5]) == [5]


@pytest.mark.parametrize("seed", range(20))
def test_each_proposed_token_stands_behind_the_one_before_it(seed):
    rng = random.Random(seed)
    before, behind, emitted = ([rng.randrange(4) for _ in range(30)] for _ in range(3))
    draft = ContextDraft(before, behind)
    done = []
    while emitted:
        guess = draft.propose(list(done))
        known = {*itertools.pairwise([*before, *done]), *itertools.pairwise(behind)}
        assert set(itertools.pairwise([*before, *done, *guess])) <= known
        count = rng.randrange(1, 4)
        done, emitted = done + emitted[:count], emitted[count:]
