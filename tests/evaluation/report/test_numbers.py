"""Figures as text."""

from math import inf, nan

import pytest

from latelier.contracts.measures import Figure
from latelier.evaluation.report.numbers import format_interval, format_number, format_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123456, "0.01235"),
        (0.5, "0.5"),
        (24.0, "24"),
        (178.22, "178.2"),
        (12345.6, "12,346"),
        (-1.5, "-1.5"),
        (inf, "∞"),
        (-inf, "-∞"),
        (nan, "-"),
    ],
)
def test_numbers_have_four_digits(value, text):
    assert format_number(value) == text


def test_a_value_has_its_unit_and_an_interval_only_with_both_ends():
    figure = Figure("psnr", "PSNR", 24.1, "higher", 23.9, 24.3, "dB")
    assert (format_value(figure), format_interval(figure)) == ("24.1 dB", "23.9 to 24.3")
    assert format_interval(Figure("ssim", "SSIM", 0.9, "higher")) == ""
