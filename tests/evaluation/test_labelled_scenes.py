import torch

from latelier.data.emoji_scenes import BACKGROUND_KINDS, PALETTE
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.labelled_scenes import NO_COLOR, render


def test_pictures_and_labels_are_those_of_the_scenes() -> None:
    scenes = EmojiScenes(seed=11, length=40)
    rendered = render(scenes)
    for k in range(40):
        scene = scenes.scene(k)
        assert torch.equal(rendered.images()[k], scenes[k]["image"])
        assert rendered.glyph[k] == scene.class_id
        assert BACKGROUND_KINDS[int(rendered.kind[k])] == scene.background.kind
        if scene.background.kind == "place":
            assert rendered.color[k] == NO_COLOR
        else:
            assert PALETTE[int(rendered.color[k])].name == scene.background.colors[0]
    assert {"place", "plain"} <= {BACKGROUND_KINDS[int(kind)] for kind in rendered.kind}


def test_rendering_in_workers_gives_the_same() -> None:
    scenes = EmojiScenes(seed=12, length=300)
    alone, helped = render(scenes), render(scenes, workers=2)
    assert torch.equal(alone.pictures, helped.pictures)
    assert torch.equal(alone.glyph, helped.glyph)
