"""Prompts as ComfyUI reads them."""

import random
import re

import pytest
from latelier.contracts.errors import InvalidInputError

from latelier_transformers.clip_text.prompts.comfyui import parse, split


@pytest.mark.parametrize(
    ("prompt", "segments"),
    [
        ("a cat", [("a cat", 1)]),
        ("", []),
        ("a (red) cat", [("a ", 1), ("red", 1.1), (" cat", 1)]),
        ("((red))", [("red", 1.21)]),
        ("(red:1.3)", [("red", 1.3)]),
        ("((red:1.2) cat:1.5)", [("red", 1.2), (" cat", 1.5)]),  # a number is not multiplied
        ("((red) cat:1.5)", [("red", 1.65), (" cat", 1.5)]),
        ("((red):1.5)", [("red", 1.65)]),
        ("(a)(b)", [("a", 1.1), ("b", 1.1)]),
        ("(red: 1.2 )", [("red", 1.2)]),
        ("(red:1e1)", [("red", 10)]),
        ("(red:blue)", [("red:blue", 1.1)]),
        ("(:1.2)", [(":1.2", 1.1)]),
        ("[red]", [("[red]", 1)]),
        ("a BREAK b", [("a BREAK b", 1)]),
        ("(red", [("(red", 1)]),
        ("a embedding:my_st, b", [("a my_st, b", 1)]),
        ("(embedding:toy.pt:1.2)", [("toy", 1.2)]),
        ("(embedding:toy)", [("toy", 1.1)]),
        ("an embedding: a", [("an embedding: a", 1)]),
        ("((red)", [("(red", 1.1)]),
        ("red) (cat)", [("red) (cat)", 1)]),  # nothing is a group after a bracket too many
        (r"\(red\)", [("(red)", 1)]),
        (r"(\(red\):1.2)", [("(red)", 1.2)]),
        ("(" * 900 + ")" * 900, []),
    ],
)
def test_brackets_weigh_texts(prompt, segments):
    found = parse(prompt)
    assert [text for text, _ in found] == [text for text, _ in segments]
    assert [weight for _, weight in found] == pytest.approx([weight for _, weight in segments])


@pytest.mark.parametrize("seed", range(40))
def test_what_is_written_is_read(seed):
    """Round trip: segments -> prompt -> segments, with brackets escaped."""
    draw = random.Random(seed)
    segments = []
    for number in range(draw.randint(1, 8)):
        text = "".join(draw.choice("ab ,.()[]-") for _ in range(draw.randint(1, 9)))
        segments.append((text, 1.0 if number % 2 else draw.choice([0.25, 0.9, 1.25, -0.5])))
    prompt = "".join(
        f"({escaped}:{weight})" if weight != 1 else escaped
        for escaped, weight in ((re.sub(r"([()])", r"\\\1", t), w) for t, w in segments)
    )
    assert parse(prompt) == segments


@pytest.mark.parametrize("weight", ["nan", "inf", "1e9", "101"])
def test_impossible_weights_are_errors(weight):
    with pytest.raises(InvalidInputError, match=r"'red' has the weight .*; expected"):
        parse(f"(red:{weight})")


@pytest.mark.parametrize(
    ("prompt", "chunks"),
    [
        ("", [""]),
        ("abcde", ["abcde"]),
        ("abcdef(ghijk)(lm)", ["abcdef", "ghijklm"]),  # a short text is not divided
        ("abcdef(ghijklmn)", ["abcdefghij", "klmn"]),  # one of 8 tokens or more is
        ("(abcdefghij)(klmnopqr)", ["abcdefghij", "klmnopqr"]),
        ("abcdefghijklmnopqrstuvwxyz", ["abcdefghij", "klmnopqrst", "uvwxyz"]),
    ],
)
def test_long_prompts_are_cut(prompt, chunks):
    found = split(prompt, lambda text: [ord(letter) for letter in text], 10)
    assert ["".join(chr(token.number) for token in chunk) for chunk in found] == chunks


def test_chunks_that_are_shorter_than_a_long_text():
    assert [len(chunk) for chunk in split("abcdefg", list, 3)] == [3, 3, 1]
