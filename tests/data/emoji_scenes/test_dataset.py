import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from latelier.contracts.images.cutout import Cutout, Pose
from latelier.data.emoji_scenes import SceneConfig, vocabulary
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.places import WATER


def test_items_depend_only_on_seed_and_index() -> None:
    first, second = EmojiScenes(seed=1), EmojiScenes(seed=1)
    forwards = [first[index]["image"] for index in range(4)]
    backwards = [second[index]["image"] for index in reversed(range(4))]
    for one, other in zip(forwards, reversed(backwards), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_seed_and_index_both_matter() -> None:
    items = [EmojiScenes(seed=seed)[index] for seed in range(3) for index in range(3)]
    assert len({item["image"].numpy().tobytes() for item in items}) == 9


def test_item_agrees_with_its_scene() -> None:
    scenes = EmojiScenes(SceneConfig(size=32), seed=2)
    scene, item = scenes.scene(9), scenes[9]
    assert item["prompt"] == scene.caption
    assert item["class_label"] == scene.class_id
    assert item["index"] == 9
    assert [(each["box"], each["label"]) for each in item["layout"]] == [
        (each.box, each.class_id) for each in scene.objects
    ]
    assert (item["semantic_map"] == scene.semantic_map).all()
    back = ((item["image"] + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0)
    assert (back.numpy() == scene.image).all()


def test_slots_number_the_layout_and_give_references() -> None:
    config = SceneConfig(size=32, objects=(2, 3), slots=True, restyled=0.5, drawn=0.5)
    scenes = EmojiScenes(config, seed=3)
    for index in range(8):
        scene, item = scenes.scene(index), scenes[index]
        labels = [each["label"] for each in item["layout"]]
        assert labels == list(range(len(scene.objects)))
        pictures = [each.artwork.picture() for each in scene.objects]
        assert all(each.shape == (128, 128, 4) for each in pictures)
        np.testing.assert_array_equal(item.get("references", []), pictures)
        np.testing.assert_array_equal(scenes.references(index), pictures)
    assert "references" not in EmojiScenes(SceneConfig(size=16))[0]


def test_batches_collate() -> None:
    batch = next(iter(DataLoader(EmojiScenes(), batch_size=4)))
    assert batch["image"].shape == (4, 3, 64, 64)
    assert batch["image"].dtype == torch.float32
    assert -1 <= batch["image"].min() < batch["image"].max() <= 1
    assert batch["class_label"].shape == (4,)
    assert batch["index"].tolist() == [0, 1, 2, 3]
    assert len(batch["prompt"]) == 4


def test_all_classes_can_occur() -> None:
    scenes = EmojiScenes(SceneConfig(size=16))
    labels = [scenes.scene(index).class_id for index in range(600)]
    assert 0 <= min(labels) < 10
    assert len(vocabulary("basic")) - 10 < max(labels) < len(vocabulary("basic"))


def test_length_bounds_the_index() -> None:
    scenes = EmojiScenes(length=3)
    assert [scenes[index]["index"] for index in range(len(scenes))] == [0, 1, 2]
    with pytest.raises(IndexError, match=r"outside 0\.\.2"):
        scenes[3]


@pytest.mark.parametrize(
    ("arguments", "field"), [({"seed": -1}, "seed"), ({"length": 0}, "length")]
)
def test_bad_arguments_are_named(arguments: dict[str, int], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        EmojiScenes(None, **arguments)


SLOTTED = SceneConfig(
    size=128,
    slots=True,
    objects=(1, 3),
    rotation=(-20, 20),
    mirror=True,
    scale=(0.4, 0.95),
    spread=0.5,
)


HUGE = SLOTTED.model_copy(update={"scale": (1.0, 1.0), "rotation": (-45.0, 45.0)})
"""Without help, many objects reach beyond the image."""


@pytest.mark.parametrize("config", [SLOTTED, HUGE])
def test_the_collage_draws_each_object_where_the_scene_has_it(config: SceneConfig) -> None:
    data = EmojiScenes(config, length=40)
    for index in range(40):
        given = data[index]["collage"]
        for k, thing in enumerate(data.scene(index).objects):
            cutout = Cutout(Image.fromarray(given["pictures"][k]).convert("RGBa"))
            x0, y0, x1, y1 = (128 * end for end in given["boxes"][k])
            pose = Pose(given["turns"][k], given["mirrored"][k])
            shown = np.asarray(cutout.draw_in((x0, y0, x1, y1), pose, (128, 128)))
            expected = thing.artwork.draw(thing.placement, 128)
            assert np.abs(shown.astype(int) - expected.astype(int)).max() <= 4


def test_smaller_boxes_are_in_front_as_in_a_collage() -> None:
    data, overlapping = EmojiScenes(SLOTTED, length=60), 0
    for index in range(60):
        scene, item = data.scene(index), data[index]
        areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in item["collage"]["boxes"]]
        by_depth = sorted(range(len(areas)), key=lambda k: scene.objects[k].depth)
        assert [areas[k] for k in by_depth] == sorted(areas)
        overlapping += any(thing.visible < 0.97 for thing in scene.objects)
        front = by_depth[0]
        assert scene.objects[front].visible == 1
    assert overlapping > 5


def test_an_empty_scene_is_a_background_without_a_class() -> None:
    data = EmojiScenes(SceneConfig(size=32, slots=True, empty=1.0), length=8)
    for index in range(8):
        item, scene = data[index], data.scene(index)
        assert item["class_label"] == -1
        assert item["layout"] == item["references"] == item["collage"]["boxes"] == []
        assert "#" not in item["prompt"]
        assert scene.claims.background
        assert scene.semantic_map.max() <= WATER
        assert not scene.instance_map.any()


def test_the_share_of_empty_scenes_is_the_configured_one() -> None:
    data = EmojiScenes(SceneConfig(size=16, slots=True, empty=0.25), length=400)
    assert 70 <= sum(not data.references(index) for index in range(400)) <= 130
