"""Prompts as AUTOMATIC1111's web UI reads them."""

import random
import re

import pytest
from latelier.contracts.errors import InvalidInputError

from latelier_transformers.clip_text.prompts.a1111 import parse, split

UP, DOWN = 1.1, 1 / 1.1


@pytest.mark.parametrize(
    ("prompt", "segments"),
    [
        ("a cat", [("a cat", 1)]),
        ("", [("", 1)]),
        ("a (red) cat", [("a ", 1), ("red", UP), (" cat", 1)]),
        ("a (red:1.3) cat", [("a ", 1), ("red", 1.3), (" cat", 1)]),
        ("((red))", [("red", UP * UP)]),
        ("[red]", [("red", DOWN)]),
        ("[[red]]", [("red", DOWN * DOWN)]),
        ("([red])", [("red", 1)]),
        ("((red:1.2) cat:1.5)", [("red", 1.2 * 1.5), (" cat", 1.5)]),
        ("(a (b:0.5) c)", [("a ", UP), ("b", 0.5 * UP), (" c", UP)]),
        ("(a)(b)", [("ab", UP)]),  # neighbours of equal weight are one text
        ("(red:-1)", [("red", -1)]),
        ("(red:.5)", [("red", 0.5)]),
        ("(red:+2)", [("red", 2)]),
        ("(a:b:1.2)", [("a:b", 1.2)]),
        ("(red : 1.2 )", [("red ", 1.2)]),
        ("(red:1 .2)", [("red:1 .2", UP)]),  # a blank is no part of a number
        ("ratio 3: 2 ) (red", [("ratio 3: 2 ) ", 1), ("red", UP)]),
        ("at 12:30)", [("at 12:30)", 1)]),
        ("(red", [("red", UP)]),
        ("a [red", [("a ", 1), ("red", DOWN)]),
        ("((red", [("red", UP * UP)]),
        ("red) cat]", [("red) cat]", 1)]),
        ("(a [b) c]", [("a ", UP), ("b", UP * DOWN), (" c", DOWN)]),
        (r"\(red\) \[cat\]", [("(red) [cat]", 1)]),
        (r"(\(red\):1.2)", [("(red)", 1.2)]),
        (r"\\(red)", [("\\", 1), ("red", UP)]),
        (r"a\b", [("ab", 1)]),
    ],
)
def test_brackets_weigh_texts(prompt, segments):
    [found] = parse(prompt)
    if not prompt:
        assert found == []
        return
    assert [text for text, _ in found] == [text for text, _ in segments]
    assert [weight for _, weight in found] == pytest.approx([weight for _, weight in segments])


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("a BREAK b", [["a"], ["b"]]),
        ("a BREAK", [["a"], [""]]),
        ("BREAK a", [[""], ["a"]]),
        ("a BREAK BREAK b", [["a"], [""], ["b"]]),
        ("(a:1.2)\nBREAK\n(b:1.2)", [["a", ""], ["", "b"]]),
        ("BREAKS, break", [["BREAKS, break"]]),
    ],
)
def test_break_divides(prompt, parts):
    assert [[text for text, _ in part] for part in parse(prompt)] == parts


def test_break_in_brackets_is_a_word():
    """As in the web UI, which weighs its own mark."""
    [part] = parse("(a BREAK b)")
    assert [(text, round(weight, 6)) for text, weight in part] == [
        ("a", 1.1),
        ("BREAK", -1.1),
        ("b", 1.1),
    ]


@pytest.mark.parametrize("seed", range(40))
def test_what_is_written_is_read(seed):
    """Round trip: segments -> prompt -> segments, with everything escaped that needs it."""
    draw = random.Random(seed)
    segments, last = [], None
    for _ in range(draw.randint(1, 8)):
        text = "".join(draw.choice("ab ,.()[]\\:1-") for _ in range(draw.randint(1, 9)))
        weight = draw.choice([w for w in (0.25, 0.9, 1.0, 1.25, -0.5) if w != last])
        segments.append((text, weight))
        last = weight
    prompt = "".join(
        f"({escaped}:{weight})" if weight != 1 else escaped
        for escaped, weight in ((re.sub(r"([()\[\]\\])", r"\\\1", t), w) for t, w in segments)
    )
    assert parse(prompt) == [segments]


@pytest.mark.parametrize("seed", range(20))
def test_nested_brackets_multiply(seed):
    draw = random.Random(seed)
    prompt, expected = "x", 1.0
    for _ in range(draw.randint(1, 12)):
        opening, closing, weight = draw.choice(
            [("(", ")", UP), ("[", "]", DOWN), ("(", ":1.5)", 1.5), ("(", ":0.5)", 0.5)]
        )
        prompt, expected = f"{opening}{prompt}{closing}", expected * weight
    [[(text, weight)]] = parse(prompt)
    assert (text, weight) == ("x", pytest.approx(expected))


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("(red:1.2.3)", r"expected a weight in the text, as in \(cat:1.2\), got ':1.2.3\)'"),
        ("(red:.)", "got ':.\\)'"),
        ("(red:" + "9" * 400 + ")", "'red' has the weight inf; expected at most 100"),
        ("(red:101)", "'red' has the weight 101"),
        ("(red cats, blue dogs and a house on the sea:-200)", r"house on the s\.\.\.' has the"),
        ("(" * 60 + "red", "'red' has the weight 304"),
    ],
)
def test_impossible_weights_are_errors(prompt, message):
    with pytest.raises(InvalidInputError, match=message):
        parse(prompt)


def numbers(prompt, capacity=6):
    """Return the chunks of a prompt of digits and commas; a comma is 0."""

    def encode(text):
        return [0 if letter == "," else int(letter) for letter in re.findall(r"\d|,", text)]

    return [[token.number for token in chunk] for chunk in split(prompt, encode, capacity)]


@pytest.mark.parametrize(
    ("prompt", "chunks"),
    [
        ("", [[]]),
        ("123456", [[1, 2, 3, 4, 5, 6]]),
        ("1234567", [[1, 2, 3, 4, 5, 6], [7]]),
        ("12345678912345", [[1, 2, 3, 4, 5, 6], [7, 8, 9, 1, 2, 3], [4, 5]]),
        ("12 BREAK 34", [[1, 2], [3, 4]]),
        ("123456 BREAK 7", [[1, 2, 3, 4, 5, 6], [7]]),
        ("1 BREAK", [[1]]),
        ("BREAK 1", [[], [1]]),
        ("1 BREAK BREAK 2", [[1], [], [2]]),
        ("BREAK", [[]]),
        ("123,4567", [[1, 2, 3, 0], [4, 5, 6, 7]]),  # the cut is after the last comma
        ("1,2,34567", [[1, 0, 2, 0], [3, 4, 5, 6, 7]]),
        ("123456,7", [[1, 2, 3, 4, 5, 6], [0, 7]]),  # a comma itself may begin a chunk
        ("123,45,7", [[1, 2, 3, 0, 4, 5], [0, 7]]),
        ("123,4567891", [[1, 2, 3, 0], [4, 5, 6, 7, 8, 9], [1]]),  # each chunk has its own comma
        ("12345,6", [[1, 2, 3, 4, 5, 0], [6]]),
    ],
)
def test_long_prompts_are_cut(prompt, chunks):
    assert numbers(prompt) == chunks


def test_a_comma_that_is_far_away_does_not_cut():
    far, near = "1" * 54 + "," + "2" * 21, "1" * 55 + "," + "2" * 20
    assert [len(chunk) for chunk in numbers(far, 75)] == [75, 1]
    assert [len(chunk) for chunk in numbers(near, 75)] == [56, 20]


def test_tokens_have_the_weights_of_their_segments():
    [first, second] = split("a (b c:1.5) d BREAK [e]", lambda text: [7] * len(text.split()), 75)
    assert [weight for _, weight in first] == [1, 1.5, 1.5, 1]
    assert [weight for _, weight in second] == pytest.approx([DOWN])


def test_a_tokenizer_may_know_no_comma():
    assert split("a, b", lambda text: [], 75) == [[]]
