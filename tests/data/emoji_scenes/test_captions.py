import numpy as np
import pytest

from latelier.data.emoji_scenes.backgrounds import BackgroundInfo
from latelier.data.emoji_scenes.captions import (
    _ARTICLES,
    _BARE,
    background_phrase,
    background_tag,
    enumerate_nouns,
    noun_phrase,
    write_caption,
)
from latelier.data.emoji_scenes.glyphs import all_glyphs, vocabulary
from latelier.data.emoji_scenes.layout import Relation

BLUE = BackgroundInfo("plain", ("blue",))


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("red apple", "a red apple"),
        ("umbrella", "an umbrella"),
        ("unicorn", "a unicorn"),
        ("hourglass", "an hourglass"),
        ("chopsticks", "chopsticks"),
        ("ball of yarn", "a ball of yarn"),
        ("Santa Claus", "Santa Claus"),
        ("Statue of Liberty", "the Statue of Liberty"),
        ("bus", "a bus"),
        ("#2", "#2"),
    ],
)
def test_articles_fit_their_nouns(name: str, phrase: str) -> None:
    assert noun_phrase(name) == phrase


def test_exceptions_name_real_glyphs() -> None:
    names = {glyph.name for glyph in all_glyphs()}
    assert names >= _BARE
    assert names >= set(_ARTICLES)


def test_no_plural_takes_an_article() -> None:
    singular = {"bus", "cactus", "lotus", "octopus", "hibiscus", "rhinoceros", "hippopotamus"}
    singular |= {"compass", "princess", "dress", "abacus", "hourglass"}
    singular |= {"cocktail glass", "magnifying glass", "wine glass"}
    plurals = [
        name
        for name in (glyph.name for glyph in vocabulary("basic"))
        if name.endswith("s")
        and name not in singular
        and not any(f" {word} " in name for word in ("with", "of", "covering"))
    ]
    assert len(plurals) > 25
    assert [noun_phrase(name) for name in plurals] == plurals
    assert all(noun_phrase(name) != name for name in singular)
    assert noun_phrase("nest with eggs") == "a nest with eggs"


@pytest.mark.parametrize(
    ("info", "phrase", "tag"),
    [
        (BLUE, "on a blue background", "blue background"),
        (
            BackgroundInfo("gradient", ("orange", "pink"), "radial"),
            "on an orange and pink gradient background",
            "orange and pink gradient background",
        ),
        (
            BackgroundInfo("stripes", ("yellow", "white")),
            "on a yellow and white striped background",
            "striped yellow and white background",
        ),
        (
            BackgroundInfo("dots", ("navy", "red")),
            "on a navy background with red dots",
            "navy background, red dots",
        ),
        (BackgroundInfo("place", style="meadow"), "in a meadow", "meadow"),
    ],
)
def test_backgrounds_are_described(info: BackgroundInfo, phrase: str, tag: str) -> None:
    assert background_phrase(info) == phrase
    assert background_tag(info) == tag


def test_objects_are_enumerated() -> None:
    assert enumerate_nouns(["cat"]) == "a cat"
    assert enumerate_nouns(["cat", "owl", "jeans"]) == "a cat, an owl and jeans"


def captions(background: BackgroundInfo | None, relation: Relation | None = None) -> set[str]:
    rng = np.random.default_rng(0)
    names = ["cat", "owl"] if relation else ["cat"]
    return {write_caption(names, background, rng, relation).text for _ in range(200)}


def test_single_object_templates_are_used() -> None:
    assert captions(None) == {"a cat"}
    assert captions(BLUE) == {
        "a cat on a blue background",
        "a cat, blue background",
        "cat, blue background",
        "a blue background with a cat",
    }


def test_relations_are_described() -> None:
    assert captions(None, "above") == {"a cat and an owl", "a cat above an owl"}


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("umbrella", "a small umbrella"),
        ("cat", "a small cat"),
        ("grapes", "small grapes"),
        ("Statue of Liberty", "the small Statue of Liberty"),
    ],
)
def test_adjectives_choose_the_article(name: str, phrase: str) -> None:
    assert noun_phrase(name, "small") == phrase


def test_claims_say_which_relation_and_background_the_caption_names() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        caption = write_caption(["#1", "#2"], BLUE, rng, "above")
        assert caption.claims.background
        assert (" above " in caption.text) == bool(caption.claims.relations)
        assert not write_caption(["#1"], None, rng).claims.background
