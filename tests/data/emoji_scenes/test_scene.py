import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest

from latelier.data.emoji_scenes import SEMANTIC_CLASSES, Scene, SceneConfig, compose
from latelier.data.emoji_scenes import scene as scene_module
from latelier.data.emoji_scenes.artwork import Placement, glyph_artwork
from latelier.data.emoji_scenes.backgrounds import BACKGROUND_KINDS
from latelier.data.emoji_scenes.glyphs import vocabulary
from latelier.data.emoji_scenes.palette import COLORS
from latelier.data.emoji_scenes.places import PLACES


def scenes(config: SceneConfig, number: int = 60) -> list[Scene]:
    return [compose(config, np.random.default_rng(seed)) for seed in range(number)]


@pytest.fixture(scope="module")
def single() -> list[Scene]:
    return scenes(SceneConfig())


@pytest.fixture(scope="module")
def several() -> list[Scene]:
    return scenes(SceneConfig(objects=(2, 4), vocabulary="all", mirror=True))


def test_arrays_have_their_shapes_and_ranges(single: list[Scene]) -> None:
    for scene in single:
        assert scene.image.shape == (64, 64, 3)
        assert scene.image.dtype == scene.semantic_map.dtype == scene.instance_map.dtype == np.uint8
        assert scene.semantic_map.shape == scene.instance_map.shape == (64, 64)
        assert scene.semantic_map.max() < len(SEMANTIC_CLASSES) == 12
        assert scene.image.std() > 5


def test_class_id_is_the_position_in_the_vocabulary(several: list[Scene]) -> None:
    for scene in several:
        assert scene.class_id == scene.objects[0].class_id
        for item in scene.objects:
            assert vocabulary("all")[item.class_id] == item.glyph


def test_the_number_of_objects_is_configured(single: list[Scene], several: list[Scene]) -> None:
    assert {len(scene.objects) for scene in single} == {1}
    assert {len(scene.objects) for scene in several} == {2, 3, 4}


def test_lone_object_fills_its_share_of_the_frame(single: list[Scene]) -> None:
    for scene in single:
        left, top, right, bottom = scene.objects[0].box
        assert 0.4 < max(right - left, bottom - top) <= 1
        assert abs((left + right) / 2 - 0.5) < 0.2
        assert abs((top + bottom) / 2 - 0.5) < 0.2
        assert scene.objects[0].visible == 1


def test_masks_lie_tightly_in_their_boxes(single: list[Scene], several: list[Scene]) -> None:
    for scene in single + several:
        for i, item in enumerate(scene.objects):
            rows, columns = np.nonzero(scene.mask(i))
            extent = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 64
            box = np.array(item.box)
            assert (extent[:2] >= box[:2]).all()
            assert (extent[2:] <= box[2:]).all()
            if item.visible == 1:
                np.testing.assert_array_equal(extent, box)


def test_mask_and_label_maps_agree(several: list[Scene]) -> None:
    for scene in several:
        assert set(np.unique(scene.instance_map)) - {0} == set(range(1, len(scene.objects) + 1))
        for i, item in enumerate(scene.objects):
            classes = np.unique(scene.semantic_map[scene.mask(i)])
            assert [SEMANTIC_CLASSES[c] for c in classes] == [item.glyph.group]
        rest = np.unique(scene.semantic_map[scene.instance_map == 0])
        allowed = {1, 2, 3} if scene.background.kind == "place" else {0}
        assert set(rest) <= allowed


def test_no_object_is_mostly_hidden(several: list[Scene]) -> None:
    assert all(item.visible >= 0.4 for scene in several for item in scene.objects)
    assert any(item.visible < 1 for scene in several for item in scene.objects)


def test_the_main_object_stands_in_front(several: list[Scene]) -> None:
    assert all(scene.objects[0].visible == 1 for scene in several)


def test_arrangements_that_hide_an_object_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    covered = [Placement(0.5, 0.5, 0.6), Placement(0.5, 0.56, 0.6)]
    apart = [Placement(0.3, 0.5, 0.4), Placement(0.7, 0.5, 0.4)]
    offers = iter([covered[:], covered[:], apart])
    monkeypatch.setattr(scene_module, "place_objects", lambda *_: next(offers))
    scene = compose(SceneConfig(objects=(2, 2)), np.random.default_rng(0))
    assert all(item.visible > 0.9 for item in scene.objects)


def test_picture_shows_the_background_outside_the_masks() -> None:
    for scene in scenes(SceneConfig(backgrounds=("plain",), shadow=False)):
        color = np.array(COLORS[scene.background.colors[0]].rgb)
        near = np.abs(scene.image.astype(int) - color).max(axis=-1) < 12
        outside = scene.instance_map == 0
        assert near[outside].mean() > 0.8
        assert near[~outside].mean() < 0.6


def test_shadow_darkens_only_the_background() -> None:
    lit = scenes(SceneConfig(shadow=False), 20)
    for plain, shaded in zip(lit, scenes(SceneConfig(), 20), strict=True):
        difference = plain.image.astype(int) - shaded.image
        assert difference.min() >= -1
        assert difference[plain.instance_map == 0].sum() > 0
        assert np.abs(difference[plain.instance_map == 1]).mean() < 6


def test_objects_stand_out_from_their_background(single: list[Scene]) -> None:
    for scene in single:
        if scene.background.kind != "place":
            glyph = scene.objects[0].glyph.index
            hidden = glyph_artwork(glyph).hidden_share
            assert max(hidden(tone) for tone in scene.background.tones) <= 0.4


def test_hidden_share_counts_red_on_red() -> None:
    tomato = next(glyph for glyph in vocabulary("basic") if glyph.name == "tomato")
    assert glyph_artwork(tomato.index).hidden_share(COLORS["red"].rgb) > 0.4
    assert glyph_artwork(tomato.index).hidden_share(COLORS["white"].rgb) < 0.1


def test_captions_match_the_scene(single: list[Scene], several: list[Scene]) -> None:
    for scene in single + several:
        assert all(item.glyph.name in scene.caption for item in scene.objects)
        if "background" in scene.caption:
            assert all(color in scene.caption for color in scene.background.colors)
            assert scene.background.kind != "place"


def test_captions_name_the_background_most_of_the_time() -> None:
    config = SceneConfig(backgrounds=("plain",), size=16)
    named = sum("background" in scene.caption for scene in scenes(config, 400))
    assert 310 < named < 370
    config = SceneConfig(captioned_background=0.0, size=16)
    assert not any("background" in scene.caption for scene in scenes(config, 50))


def test_relation_in_the_caption_holds() -> None:
    found = 0
    for scene in scenes(SceneConfig(objects=(2, 2)), 80):
        first, second = (item.box for item in scene.objects)
        if " to the left of " in scene.caption:
            found += 1
            assert first[0] < second[0]
        elif " above " in scene.caption:
            found += 1
            assert first[1] < second[1]
        elif " overlapping " in scene.caption:
            found += 1
            assert first[0] < second[2]
            assert second[0] < first[2]
    assert found > 5


def test_every_kind_of_background_occurs() -> None:
    found = {(s.background.kind, s.background.style) for s in scenes(SceneConfig(size=16), 400)}
    assert {kind for kind, _ in found} == set(BACKGROUND_KINDS)
    assert {style for kind, style in found if kind == "place"} == set(PLACES)


def test_only_the_named_objects_are_drawn_with_their_own_classes() -> None:
    names = ["pizza", "cat", "red car"]
    known = [glyph.name for glyph in vocabulary("basic")]
    config = SceneConfig(size=16, glyphs=tuple(names), objects=(1, 3))
    found = {(each.glyph.name, each.class_id) for s in scenes(config, 30) for each in s.objects}
    assert found == {(name, known.index(name)) for name in names}


def test_held_out_objects_are_every_16th_and_no_others() -> None:
    train, held_out = (SceneConfig(vocabulary="all", part=part) for part in ("train", "held_out"))
    assert list(held_out.class_ids) == list(range(0, len(vocabulary("all")), 16))
    both = sorted([*train.class_ids, *held_out.class_ids])
    assert both == list(SceneConfig(vocabulary="all").class_ids)
    found = scenes(SceneConfig(size=16, part="held_out", objects=(1, 2)), 8)
    assert {each.class_id % 16 for scene in found for each in scene.objects} == {0}


@pytest.mark.parametrize("size", [16, 33, 200])
def test_other_sizes_are_supported(size: int) -> None:
    for scene in scenes(SceneConfig(size=size, objects=(1, 4)), 10):
        assert scene.image.shape == (size, size, 3)


EVERYTHING = SceneConfig(
    size=48,
    vocabulary="all",
    objects=(1, 3),
    mirror=True,
    rotation=(-40, 40),
    scale=(0.35, 0.95),
    spread=0.6,
    restyled=0.3,
    drawn=0.3,
    slots=True,
    repeated=0.2,
    detailed_captions=0.5,
)


@pytest.fixture(scope="module")
def slotted() -> list[Scene]:
    return scenes(EVERYTHING, 100)


def test_slots_stand_for_the_names(slotted: list[Scene]) -> None:
    for scene in slotted:
        found = set(re.findall(r"#\d", scene.caption))
        assert found == {f"#{i + 1}" for i in range(len(scene.objects))}
        assert not any(f" {each.glyph.name} " in scene.caption for each in scene.objects)


def test_any_object_may_stand_in_front_where_captions_have_slots(slotted: list[Scene]) -> None:
    depths = {tuple(each.depth for each in scene.objects) for scene in slotted}
    assert {(0, 1), (1, 0), (0,)} < depths
    for scene in slotted:
        [front] = [each for each in scene.objects if each.depth == 0]
        assert front.visible == 1


def test_an_object_shows_its_artwork_as_placed(slotted: list[Scene]) -> None:
    for scene in slotted:
        for i, each in enumerate(scene.objects):
            alpha = each.artwork.draw(each.placement, 48)[..., 3] >= 128
            assert (alpha & scene.mask(i)).sum() == scene.mask(i).sum() > 0


def test_artworks_come_from_everywhere(slotted: list[Scene]) -> None:
    origins = [each.origin for scene in slotted for each in scene.objects]
    assert min(origins.count(origin) for origin in ("atlas", "restyled", "drawn")) > 20


def test_scenes_of_trained_models_stay() -> None:
    digest = hashlib.sha256()
    for index in range(12):
        generator = np.random.Generator(np.random.Philox(key=[5, index]))
        scene = compose(SceneConfig(objects=(1, 4), mirror=True), generator)
        placements = [
            (each.class_id, round(each.placement.x, 5), round(each.placement.angle, 3))
            for each in scene.objects
        ]
        digest.update(f"{scene.caption} {scene.background} {placements}".encode())
    assert digest.hexdigest()[:16] == "87a77188fe4af9bb"


DIGEST = """
import hashlib
import numpy as np
from latelier.data.emoji_scenes import SceneConfig, compose
plain = SceneConfig(objects=(1, 4))
slots = SceneConfig(
    objects=(1, 3), slots=True, restyled=0.5, drawn=0.3, spread=0.5, detailed_captions=0.5
)
digest = hashlib.sha256()
for index in range(16):
    config = plain if index % 2 else slots
    scene = compose(config, np.random.Generator(np.random.Philox(key=[5, index])))
    digest.update(scene.image.tobytes() + scene.instance_map.tobytes() + scene.caption.encode())
"""


def test_two_processes_draw_the_same_bytes() -> None:
    variables: dict[str, object] = {}
    exec(DIGEST, variables)
    path = f"import sys; sys.path[:] = {sys.path!r}"
    code = f"{path}\n{DIGEST}\nprint(digest.hexdigest(), 'torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    digest = variables["digest"]
    assert isinstance(digest, type(hashlib.sha256()))
    assert result.stdout.split() == [digest.hexdigest(), "False"]
