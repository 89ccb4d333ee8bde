"""Numbers have three digits and a unit."""

import pytest

from benchmarks.harness.formatting import format_value


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0000123, "s", "12.3 µs"),
        (0.5, "s", "500 ms"),
        (9.876, "s", "9.88 s"),
        (1234.5, "MiB", "1,234 MiB"),
        (0.0, "", "0"),
        (1.149, "x", "1.15x"),
        (0.754, "%", "75%"),
    ],
)
def test_a_value_has_three_digits_and_a_unit(value, unit, text):
    assert format_value(value, unit) == text
