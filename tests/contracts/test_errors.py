"""Errors of plugins become one line of text, whatever they contain."""

import pickle

import pytest

from latelier.contracts.errors import InvalidInputError, LimitError, QueueFullError
from latelier.contracts.frozen import Frozen, validate
from latelier.contracts.inputs import read_input
from latelier.contracts.messages import format_error, one_line


class UnspeakableError(Exception):
    def __str__(self):
        raise RecursionError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("out of\n  sorts"), "ValueError: out of sorts"),
        (SystemExit(3), "SystemExit: 3"),
        (ValueError("\x1b[31mred\x00"), r"ValueError: \x1b[31mred\x00"),
        (ValueError("\udcff"), r"ValueError: \udcff"),
        (ValueError("ü 色"), "ValueError: ü 色"),
        (UnspeakableError(), "UnspeakableError: its message cannot be read"),
    ],
)
def test_messages_are_one_line(error, message):
    assert format_error(error) == message


def test_long_messages_are_shortened():
    line = one_line("x" * 10_000_000)
    assert len(line) < 1000
    assert line.endswith("x ...")


def test_an_error_names_its_field():
    class Pair(Frozen):
        a: int
        b: tuple[int, ...] = ()

    def field_of(value):
        with pytest.raises(InvalidInputError) as caught:
            read_input(Pair, value, "pair")
        return caught.value.field

    assert field_of({"a": "x"}) == "pair.a"
    assert field_of({"a": 1, "b": [2, "x"]}) == "pair.b.1"
    assert field_of({"c": 1, "a": 1}) == "pair.c"
    with pytest.raises(InvalidInputError) as caught:
        validate(Pair, {"a": None}, "a pair", InvalidInputError)
    assert caught.value.field == "a"
    assert InvalidInputError("of nothing in particular").field is None


def test_an_error_of_a_field_keeps_its_reason():
    error = InvalidInputError.of_field("mask", "needs `init_image`")
    assert (str(error), error.field) == ("mask: needs `init_image`", "mask")
    assert error.reason == "needs `init_image`"
    assert InvalidInputError("mask: is empty", field="mask").reason is None


def test_an_error_of_a_limit_can_be_shown_to_a_client():
    error = LimitError.of_limit("n", "9 pictures are above the limit of 8", "pay for more")
    assert str(error) == "n: 9 pictures are above the limit of 8; pay for more"
    assert error.excess == "9 pictures are above the limit of 8"


@pytest.mark.parametrize(
    "error",
    [
        InvalidInputError.of_field("mask", "needs `init_image`"),
        LimitError.of_limit("n", "too many", "pay for more"),
        QueueFullError("the queue is full", retry_after=3.5),
    ],
)
def test_errors_go_to_other_processes(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), vars(copy)) == (str(error), vars(error))
