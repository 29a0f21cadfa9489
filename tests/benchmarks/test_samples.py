"""From samples to rows: medians of runs, percentiles of cases, ratios pair by pair."""

import pytest

from tests.benchmarks.samples import Sample, percentile, rows_of


def sample(engine, case, run, seconds, **more):
    return Sample(
        part="fills", what="cold", case=case, run=run, engine=engine, seconds=seconds, **more
    )


def test_a_case_counts_with_the_median_of_its_runs():
    samples = [
        sample("Diffill", case, run, seconds, tokens=6)
        for case, times in (("a", (1.0, 9.0, 2.0)), ("b", (4.0, 3.0, 5.0)), ("c", (6.0, 6.0, 6.0)))
        for run, seconds in enumerate(times)
    ]
    (row,) = rows_of(samples)
    assert (row.num_cases, row.num_runs) == (3, 3)
    assert (row.p50_s, row.p95_s) == (4.0, 6.0)
    assert row.tokens_s == 18 / 12
    assert row.ratio is None


def test_a_ratio_is_the_median_of_pairs_not_the_ratio_of_medians():
    ours = [sample("Diffill", "a", run, s) for run, s in enumerate((1.0, 2.0, 10.0))]
    theirs = [sample("peer", "a", run, s) for run, s in enumerate((4.0, 6.0, 10.0))]
    _, row = rows_of([*ours, *theirs])
    assert row.ratio == 3.0  # of 4, 3 and 1; of the medians, 6 to 2


def test_pairs_are_of_the_same_case_and_run():
    ours = [sample("Diffill", "a", 0, 1.0)]
    theirs = [sample("peer", "a", 0, 2.0), sample("peer", "a", 1, 9.0), sample("peer", "b", 0, 9.0)]
    assert rows_of([*ours, *theirs])[1].ratio == 2.0
    assert rows_of(theirs)[0].ratio is None


def test_a_floor_is_compared_sample_by_sample():
    (row,) = rows_of(
        [sample("Diffill", "a", run, s, floor_s=f) for run, s, f in ((0, 2.0, 1.0), (1, 9.0, 3.0))]
    )
    assert (row.floor_s, row.over_floor) == (2.0, 2.5)


def test_kinds_and_engines_keep_their_order():
    samples = [sample(engine, "a", 0, 1.0) for engine in ("Diffill", "b", "a")]
    assert [row.engine for row in rows_of(samples)] == ["Diffill", "b", "a"]


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 3), (0.95, 4), (1.0, 4)])
def test_a_percentile_was_seen(share, expected):
    assert percentile([3, 1, 4, 2], share) == expected
