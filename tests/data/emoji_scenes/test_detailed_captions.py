import re

import numpy as np
import pytest

from latelier.data.emoji_scenes.backgrounds import BackgroundInfo
from latelier.data.emoji_scenes.claims import Caption, ObjectDetails, RelationClaim
from latelier.data.emoji_scenes.detailed_captions import write_detailed_caption
from latelier.data.emoji_scenes.places import PLACES

BLUE = BackgroundInfo("plain", ("blue",))
DOTS = BackgroundInfo("dots", ("blue", "red"))
MEADOW = BackgroundInfo("place", style="meadow")
SMALL = ObjectDetails("top left", "small", "left", True)


def write(
    names: list[str],
    details: list[ObjectDetails],
    relations: list[RelationClaim] | None = None,
    background: BackgroundInfo = BLUE,
) -> list[Caption]:
    rng = np.random.default_rng(0)
    return [
        write_detailed_caption(names, background, details, relations or [], rng) for _ in range(300)
    ]


def test_a_lone_object_has_all_of_its_details_in_short_and_long_captions() -> None:
    captions = write(["umbrella"], [SMALL])
    texts = {caption.text for caption in captions}
    assert "umbrella, blue background, small, mirrored, tilted to the left, top left" in texts
    assert "a small mirrored umbrella at the top left, tilted left on a blue background" in texts
    assert max(len(text.split()) for text in texts) < 24
    assert {caption.claims.objects for caption in captions} == {(SMALL,)}


def test_slots_have_one_kind_of_article_in_a_caption() -> None:
    texts = {caption.text for caption in write(["#1"], [ObjectDetails("left")])}
    assert {
        "#1 on the left on a blue background",
        "a #1 on the left on a blue background",
        "the #1 on the left on a blue background",
    } < texts


def test_several_objects_have_relations_or_positions() -> None:
    details = [ObjectDetails("left", "small"), ObjectDetails("right", "large")]
    relations = [RelationClaim(0, "to the left of", 1), RelationClaim(1, "to the right of", 0)]
    for caption in write(["cat", "dog"], details, relations):
        if caption.claims.relations:
            assert caption.claims.relations[0] in relations
            assert " left " in caption.text or " right " in caption.text
            assert all(each.position is None for each in caption.claims.objects)
        else:
            assert caption.claims.objects == tuple(details)


def test_three_objects_are_related_one_after_the_other() -> None:
    relations = [RelationClaim(1, "above", 0), RelationClaim(2, "below", 0)]
    texts = {
        caption.text for caption in write(["#1", "#2", "#3"], [ObjectDetails()] * 3, relations)
    }
    assert "#2 above #1, with #3 below #1 on a blue background" in texts
    assert "the #2 above the #1, with the #3 below the #1 on a blue background" in texts


def test_a_lone_position_stands_with_its_object() -> None:
    details = [ObjectDetails(), ObjectDetails("right")]
    for caption in write(["cat", "dog"], details):
        assert caption.text.index("dog") < caption.text.index("cat")


@pytest.mark.parametrize("background", [BLUE, DOTS, MEADOW])
def test_captions_say_the_background_without_slips(background: BackgroundInfo) -> None:
    for caption in write(["cat"], [ObjectDetails()], background=background):
        assert caption.claims.background
        assert all(color in caption.text for color in background.colors)
        assert background.colors or re.search("meadow|grass", caption.text)
        assert "  " not in caption.text
        assert " with red dots with " not in caption.text


def test_every_place_has_phrases() -> None:
    for name, place in PLACES.items():
        captions = write(["cat"], [ObjectDetails()], background=BackgroundInfo("place", style=name))
        assert f"a cat {place.where}" in {caption.text for caption in captions}
        assert len({caption.text.partition("a cat ")[2] for caption in captions}) > 2
