import pytest
import torch
from PIL import Image

from latelier.data.emoji_scenes import BACKGROUND_KINDS, PALETTE, SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.classifier.model import GLYPHS, Verdict
from latelier.evaluation.prompt_following import (
    Prompt,
    as_images,
    following,
    judgements,
    prompt_of,
    worst,
)
from latelier.evaluation.proportion import Proportion

COLORS = [color.name for color in PALETTE]
NAMES = [glyph.name for glyph in GLYPHS]


def verdict_on(*seen: tuple[list[str], str, str]) -> Verdict:
    """A verdict that ranks the named glyphs first, in this order."""
    glyph = torch.zeros(len(seen), len(NAMES))
    for row, (ranked, _, _) in zip(glyph, seen):
        for place, name in enumerate(ranked):
            row[NAMES.index(name)] = 10 - place
    color = torch.eye(16)[[COLORS.index(color) for _, color, _ in seen]]
    kind = torch.eye(6)[[BACKGROUND_KINDS.index(kind) for _, _, kind in seen]]
    return Verdict(glyph, kind, color)


def test_prompts_are_the_scenes_captions_and_truths() -> None:
    scenes = EmojiScenes(seed=77, length=300)
    named = 0
    for k in range(300):
        scene = scenes.scene(k)
        prompt = prompt_of(scene)
        assert prompt == prompt_of(EmojiScenes(seed=77, length=300).scene(k))
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
    silent = EmojiScenes(SceneConfig(captioned_background=0), seed=1, length=20)
    assert all(prompt_of(silent.scene(k)).colors == () for k in range(20))


def test_shares_and_worst_glyphs() -> None:
    prompts = [
        Prompt("a cat on a red background", "cat", ("red",), "plain"),
        Prompt("a cat", "cat", (), None),
        Prompt("a dog on a blue and red gradient background", "dog", ("blue", "red"), "gradient"),
        Prompt("an owl in the snow", "owl", (), None),
    ]
    others = NAMES[:7]
    assert not {"cat", "dog", "owl"} & set(others)
    verdict = verdict_on(
        (["cat"], "red", "plain"),
        (["dog", "cat"], "red", "plain"),
        (["dog"], "red", "gradient"),
        ([*others, "owl"], "white", "place"),
    )
    judged = judgements(prompts, verdict)
    assert following(judged) == {
        "glyph": Proportion(2, 4),
        "glyph_top5": Proportion(3, 4),
        "color": Proportion(1, 2),
        "color_named": Proportion(2, 2),
        "kind": Proportion(2, 2),
    }
    assert following(judged[1:2]).keys() == {"glyph", "glyph_top5"}
    assert [each.right for each in judged] == [True, False, False, False]
    missed = worst(judged)
    assert [each["glyph"] for each in missed] == ["owl", "cat"]
    assert missed[0]["ranks"] == [8]
    assert missed[1] == {
        "glyph": "cat", "missed": 1, "asked": 2, "seen_instead": ["dog"], "ranks": [2],
    }  # fmt: skip


def test_every_picture_needs_a_prompt() -> None:
    with pytest.raises(ValueError, match="longer"):
        judgements([], verdict_on((["cat"], "red", "plain")))


def test_pictures_become_tensors() -> None:
    picture = Image.new("RGBA", (4, 2), (255, 0, 51, 255))
    images = as_images([picture, picture])
    assert images.shape == (2, 3, 2, 4)
    assert images[1, :, 0, 0].tolist() == pytest.approx([1.0, -1.0, -0.6])
