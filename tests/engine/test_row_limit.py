"""The limit of rows: by number, by measurement, and by what memory holds."""

import pytest

from latelier.engine.row_limit import RowLimit, fewest_rows


@pytest.mark.parametrize(
    ("curve", "rows"),
    [
        ({1: 14.7, 2: 10.5, 4: 7.7, 8: 6.7, 16: 5.2, 32: 5.8}, 16),
        ({1: 1.0, 2: 0.98}, 1),
        ({1: 1.0, 2: 0.9, 4: 0.89}, 2),
        ({1: 1.0}, 1),
    ],
)
def test_the_fewest_rows_that_are_about_as_fast_as_the_best(curve, rows):
    assert fewest_rows(curve) == rows


def test_without_a_measurement_the_given_positions_count():
    limit = RowLimit(16, 4 * 32 * 32)
    assert limit.of(8, 8) == 16
    assert limit.of(32, 32) == 4
    assert limit.of(128, 128) == 1


def test_a_measurement_holds_for_other_sizes_by_their_positions():
    limit = RowLimit(16, 16 * 32 * 32)
    limit.set_curve({1: 4.0, 2: 3.0, 4: 2.0, 8: 1.0}, 32 * 32)
    assert limit.of(32, 32) == 8
    assert limit.of(64, 32) == 4
    assert limit.of(128, 128) == 1
    assert limit.of(8, 8) == 16


def test_a_lack_of_memory_halves_it():
    limit = RowLimit(16, 16 * 32 * 32)
    for rows, expected in [(12, 6), (5, 2), (4, 2), (1, 1)]:
        limit.lower(rows)
        assert limit.of(8, 8) == expected
