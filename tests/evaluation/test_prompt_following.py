import pytest
import torch
from PIL import Image

from latelier.data.emoji_scenes import BACKGROUND_KINDS, PALETTE, SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.prompt_following import (
    Prompt,
    find_worst_glyphs,
    make_prompt,
    measure_following,
    pair_with_predictions,
    pictures_to_tensor,
)
from latelier.evaluation.proportion import Proportion
from latelier.metrics.scene_classifier import GLYPHS, Prediction

COLORS = [color.name for color in PALETTE]
NAMES = [glyph.name for glyph in GLYPHS]


def make_prediction(*rows: tuple[list[str], str, str]) -> Prediction:
    """A prediction that ranks the named glyphs first, in this order."""
    glyph = torch.zeros(len(rows), len(NAMES))
    for row, (ranked, _, _) in zip(glyph, rows):
        for place, name in enumerate(ranked):
            row[NAMES.index(name)] = 10 - place
    color = torch.eye(16)[[COLORS.index(color) for _, color, _ in rows]]
    kind = torch.eye(6)[[BACKGROUND_KINDS.index(kind) for _, _, kind in rows]]
    return Prediction(glyph, kind, color)


def test_a_prompt_has_the_caption_and_labels_of_its_scene() -> None:
    scenes = EmojiScenes(seed=77, length=300)
    named = 0
    for k in range(300):
        scene = scenes.scene(k)
        prompt = make_prompt(scene)
        assert prompt == make_prompt(EmojiScenes(seed=77, length=300).scene(k))
        assert prompt.text == scene.caption
        assert prompt.glyph in prompt.text
        assert bool(prompt.colors) == (prompt.kind is not None)
        assert bool(prompt.colors) == ("background" in prompt.text)
        if prompt.colors:
            named += 1
            assert prompt.colors == scene.background.colors
            assert all(color in prompt.text for color in prompt.colors)
            assert prompt.kind == scene.background.kind
    assert 150 < named < 240


def test_a_caption_without_its_background_names_no_color() -> None:
    scenes = EmojiScenes(SceneConfig(captioned_background=0), seed=1, length=20)
    assert all(make_prompt(scenes.scene(k)).colors == () for k in range(20))


def test_accuracies_and_worst_glyphs_are_computed() -> None:
    prompts = [
        Prompt("a cat on a red background", "cat", ("red",), "plain"),
        Prompt("a cat", "cat", (), None),
        Prompt("a dog on a blue and red gradient background", "dog", ("blue", "red"), "gradient"),
        Prompt("an owl in the snow", "owl", (), None),
    ]
    others = NAMES[:7]
    assert not {"cat", "dog", "owl"} & set(others)
    prediction = make_prediction(
        (["cat"], "red", "plain"),
        (["dog", "cat"], "red", "plain"),
        (["dog"], "red", "gradient"),
        ([*others, "owl"], "white", "place"),
    )
    results = pair_with_predictions(prompts, prediction)
    assert measure_following(results) == {
        "glyph": Proportion(2, 4),
        "glyph_top5": Proportion(3, 4),
        "color": Proportion(1, 2),
        "color_named": Proportion(2, 2),
        "kind": Proportion(2, 2),
    }
    assert measure_following(results[1:2]).keys() == {"glyph", "glyph_top5"}
    assert [each.is_correct for each in results] == [True, False, False, False]
    missed = find_worst_glyphs(results)
    assert [each["glyph"] for each in missed] == ["owl", "cat"]
    assert missed[0]["ranks"] == [8]
    assert missed[1] == {
        "glyph": "cat", "missed": 1, "prompted": 2, "predicted": ["dog"], "ranks": [2],
    }  # fmt: skip


def test_pictures_and_prompts_must_match_in_number() -> None:
    with pytest.raises(ValueError, match="longer"):
        pair_with_predictions([], make_prediction((["cat"], "red", "plain")))


def test_pictures_are_scaled_to_the_unit_interval() -> None:
    picture = Image.new("RGBA", (4, 2), (255, 0, 51, 255))
    images = pictures_to_tensor([picture, picture])
    assert images.shape == (2, 3, 2, 4)
    assert images[1, :, 0, 0].tolist() == pytest.approx([1.0, -1.0, -0.6])
