"""Two files are compared case by case."""

from benchmarks.harness.comparison import compare


def test_a_ratio_has_the_widest_quartiles_that_both_files_allow(make_result, make_results):
    first = make_results(make_result("a", seconds=(2.0, 2.0)), make_result("only-here"))
    second = make_results(make_result("a", seconds=(1.0, 1.0)))

    change, ceiling = compare(first, second)

    assert (change.case, change.variant, change.before, change.after) == ("a", "ours", 2.0, 1.0)
    assert change.ratio.median == 0.5
    assert change.is_resolved
    assert (ceiling.variant, ceiling.ratio.median) == ("ceiling, bf16 product", 1.0)


def test_overlapping_quartiles_resolve_nothing(make_result, make_results):
    first, second = (
        make_results(make_result("a", seconds=seconds)) for seconds in ((1.0, 3.0), (2.0, 2.5))
    )
    change, _ = compare(first, second)
    assert (change.ratio.low, change.ratio.high) == (2.125 / 2.5, 2.375 / 1.5)
    assert not change.is_resolved
