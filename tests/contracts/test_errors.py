"""Errors of plugins are told in one line, whatever they hold."""

import pytest

from latelier.contracts.errors import format_error, one_line


class UnspeakableError(Exception):
    def __str__(self):
        raise RecursionError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("out of\n  sorts"), "ValueError: out of sorts"),
        (SystemExit(3), "SystemExit: 3"),
        (ValueError("\x1b[31mred\x00"), r"ValueError: \x1b[31mred\x00"),
        (ValueError("\udcff"), r"ValueError: \udcff"),
        (ValueError("ü 色"), "ValueError: ü 色"),
        (UnspeakableError(), "UnspeakableError: its message cannot be read"),
    ],
)
def test_one_line(error, said):
    assert format_error(error) == said


def test_a_very_long_one_is_cut():
    line = one_line("x" * 10_000_000)
    assert len(line) < 1000
    assert line.endswith("x ...")
