import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition, ConditionPart, concat
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.inputs import read_input
from latelier.data.emoji_scenes import SceneConfig, vocabulary
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier_conditioners.layout.conditioner import LayoutConditioner
from latelier_conditioners.layout.inputs import Layout, LayoutConfig
from latelier_conditioners.layout.objects import ObjectsConditioner
from latelier_conditioners.layout_fourier.conditioner import (
    LayoutFourierConditioner,
    fourier_features,
)
from latelier_conditioners.layout_fourier.inputs import LayoutFourierConfig

GEOMETRY = PictureGeometry((64, 64), (16, 16))
NAMES = ("cat", "red apple", "dog")
CAT = {"label": "cat", "box": [0.0, 0.0, 0.5, 0.5]}
DOG = {"label": 2, "box": [0.25, 0.5, 1.0, 1.0]}
TINY = {"label": "dog", "box": [0.1, 0.1, 0.101, 0.101]}
WHOLE = (0, 89 * 90 + 89)
NONE = 8191


def new_layout(**options: Any) -> LayoutConditioner:
    config = {"n_embed": 16, "n_layer": 1, "num_classes": 3, "names": NAMES}
    config |= {"max_objects_per_image": 4}
    return LayoutConditioner(LayoutConfig.model_validate({**config, **options})).eval()


def new_fourier(**options: Any) -> LayoutFourierConditioner:
    config = {"width": 16, "layers": 1, "heads": 2, "num_classes": 3, "names": NAMES}
    config |= {"max_objects_per_image": 4}
    return LayoutFourierConditioner(
        LayoutFourierConfig.model_validate({**config, **options})
    ).eval()


BOTH = pytest.mark.parametrize("new", [new_layout, new_fourier])


def read(*objects: Any) -> Layout:
    return read_input(Layout, list(objects), "layout")


def tokens_of(part: ConditionPart) -> Tensor:
    assert part.stream is not None
    return part.stream.tokens


class TestTokens:
    """The published coding."""

    def test_the_published_model_has_its_keys_and_shapes(self) -> None:
        config = LayoutConfig(n_embed=512, n_layer=16, num_classes=600)
        assert (config.max_seq_len, config.none, config.sections) == (92, 8191, 90)
        with torch.device("meta"):
            state = LayoutConditioner(config).state_dict()
        assert state["transformer.token_emb.weight"].shape == (8192, 512)
        assert state["transformer.pos_emb.emb.weight"].shape == (92, 512)
        assert "transformer.attn_layers.layers.31.1.net.2.weight" in state
        unused_logits = 512 * 8192 + 8192
        assert sum(value.numel() for value in state.values()) + unused_logits == 58_858_496

    def test_an_object_has_three_tokens_and_the_crop_two(self) -> None:
        batch = new_layout().prepare([read(CAT, DOG)], GEOMETRY)
        # 0.5 * 89 = 44.5 and 0.25 * 89 = 22.25; halves are rounded to the even number
        cat = [0, 0, 44 * 90 + 44]
        dog = [2, 44 * 90 + 22, 89 * 90 + 89]
        assert batch["tokens"].tolist() == [[*cat, *dog, *[NONE] * 6, *WHOLE]]
        assert batch["tokens"].dtype == torch.int64

    def test_without_inputs_there_are_no_rows(self) -> None:
        assert new_layout().prepare([], GEOMETRY)["tokens"].shape == (0, 14)

    def test_attributes_are_bits_above_the_class_id(self) -> None:
        conditioner = new_layout(use_group_parameter=True, use_additional_parameters=True)
        layout = read(
            {**DOG, "group": True},
            {**DOG, "occluded": True},
            {**DOG, "depiction": True},
            {**DOG, "inside": True, "group": True},
        )
        tokens = conditioner.prepare([layout], GEOMETRY)["tokens"][0]
        assert tokens[:12:3].tolist() == [2 + 3 * 1, 2 + 3 * 2, 2 + 3 * 4, 2 + 3 * 9]

    def test_the_crop_has_tokens_and_objects_outside_are_dropped(self) -> None:
        geometry = PictureGeometry((64, 64), (16, 16), crop=(0.5, 0.5, 1.0, 1.0))
        tokens = new_layout().prepare([read(CAT, DOG)], geometry)["tokens"][0].tolist()
        assert tokens[:4] == [2, 44 * 90 + 22, 89 * 90 + 89, NONE]  # of the whole, not of the crop
        assert tokens[-2:] == [44 * 90 + 44, 89 * 90 + 89]

    def test_a_window_changes_only_the_crop(self) -> None:
        conditioner = new_layout()
        batch = conditioner.prepare([read(CAT), read(DOG)], GEOMETRY)
        window = conditioner.crop(batch, (0.0, 0.5, 0.5, 1.0))["tokens"]
        assert torch.equal(window[:, :-2], batch["tokens"][:, :-2])
        assert window[:, -2:].tolist() == [[44 * 90, 89 * 90 + 44]] * 2
        assert batch["tokens"][0, -2:].tolist() == list(WHOLE)

    def test_the_null_part_has_no_objects_but_the_crop(self) -> None:
        conditioner = new_layout()
        for crop in ((0.0, 0.0, 1.0, 1.0), (0.5, 0.0, 1.0, 0.5)):
            geometry = PictureGeometry((64, 64), (16, 16), crop)
            batch = new_layout(min_objects_per_image=0).prepare([Layout(objects=())], geometry)
            assert (batch["tokens"][0, :-2] == NONE).all()
            expected = tokens_of(conditioner(batch, geometry))
            null = tokens_of(conditioner.null(3, geometry))
            assert null.shape == (3, 14, 16)
            torch.testing.assert_close(null, expected.expand(3, -1, -1))

    def test_nothing_is_masked(self) -> None:
        conditioner = new_layout()
        parts = (conditioner.encode([[CAT], [DOG]]), conditioner.null(2, GEOMETRY))
        both = concat([Condition.of({"layout": part}) for part in parts])
        assert both.streams["layout"].mask is None

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"num_classes": 8192}, "8192 classes with 0 attributes need 8192 ids, but vocab_size"),
            (
                {"num_classes": 600, "use_group_parameter": True}
                | {"use_additional_parameters": True},
                "600 classes with 4 attributes need 9600 ids",
            ),
            ({"num_classes": 3, "vocab_size": 81}, "81 is a square, .* 82 would do"),
            ({"num_classes": 3, "names": ("cat",)}, "1 names for num_classes=3"),
            ({"num_classes": 3, "min_objects_per_image": 31}, "31 is more than max_objects"),
        ],
    )
    def test_inconsistent_configurations_are_refused(self, options: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            LayoutConfig.model_validate({"n_embed": 16, "n_layer": 1, **options})

    def test_unknown_attributes_are_refused(self) -> None:
        with pytest.raises(
            InvalidInputError, match=r"object 0 \('2'\) is 'group', unknown .* no a"
        ):
            new_layout().encode([[{**DOG, "group": True}]])
        with pytest.raises(InvalidInputError, match=r"'inside', unknown .*; it knows group"):
            new_layout(use_group_parameter=True).encode([[{**DOG, "inside": True}]])


class TestFourier:
    """The coding of exact boxes."""

    def test_the_picture_is_the_first_token_and_absent_objects_are_masked(self) -> None:
        batch = new_fourier().prepare([read(CAT, DOG), read(DOG)], GEOMETRY)
        assert batch["labels"].tolist() == [[3, 0, 2, 3, 3], [3, 2, 3, 3, 3]]
        assert batch["boxes"][0, :3].tolist() == [[0, 0, 1, 1], CAT["box"], DOG["box"]]
        assert batch["mask"].sum(1).tolist() == [3, 2]
        assert new_fourier().prepare([], GEOMETRY)["boxes"].shape == (0, 5, 4)

    def test_the_part_is_a_masked_stream(self) -> None:
        conditioner = new_fourier()
        stream = conditioner.encode([[CAT, DOG], [DOG]]).stream
        assert stream is not None
        assert stream.mask is not None
        assert stream.tokens.shape == (2, 5, 16)
        assert conditioner.config.outputs().stream == 16

    def test_masked_tokens_change_nothing(self) -> None:
        conditioner = new_fourier()
        batch = conditioner.prepare([read(CAT)], GEOMETRY)
        mask = batch["mask"]
        garbled = {
            "labels": torch.where(mask, batch["labels"], 1),
            "boxes": torch.where(mask[..., None], batch["boxes"], 0.7),
            "mask": mask,
        }
        a, b = tokens_of(conditioner(batch, GEOMETRY)), tokens_of(conditioner(garbled, GEOMETRY))
        assert torch.equal(a[mask], b[mask])

    def test_the_order_of_objects_does_not_matter(self) -> None:
        conditioner = new_fourier()
        a, b = tokens_of(conditioner.encode([[CAT, DOG], [DOG, CAT]]))
        torch.testing.assert_close(a[[0, 2, 1]], b[[0, 1, 2]])

    def test_box_and_class_both_matter(self) -> None:
        moved = {**CAT, "box": [0.0, 0.0, 0.5, 0.51]}
        tokens = tokens_of(new_fourier().encode([[CAT], [moved], [{**CAT, "label": 1}]]))
        for other in (1, 2):
            assert (tokens[0, :2] - tokens[other, :2]).abs().amax(1).min() > 1e-4

    def test_features_are_sines_and_cosines_of_octaves(self) -> None:
        features = fourier_features(torch.tensor([[0.1, 0.2, 0.3, 0.4]]), 3)
        assert features.shape == (1, 24)
        for k, x in enumerate((0.1, 0.2, 0.3, 0.4)):
            angles = [np.pi * x, 2 * np.pi * x, 4 * np.pi * x]
            expected = [*np.sin(angles), *np.cos(angles)]
            np.testing.assert_allclose(features[0, 6 * k : 6 * k + 6], expected, atol=1e-6)

    def test_a_window_has_the_parts_of_boxes_that_lie_in_it(self) -> None:
        conditioner = new_fourier()
        inside = {"label": "cat", "box": [0.5, 0.25, 0.75, 0.5]}
        across = {"label": "dog", "box": [0.25, 0.0, 0.75, 1.0]}
        outside = {"label": "cat", "box": [0.0, 0.0, 0.5, 0.5]}
        batch = conditioner.prepare([read(inside, across, outside)], GEOMETRY)
        window = conditioner.crop(batch, (0.5, 0.0, 1.0, 0.5))
        assert window["boxes"][0, :3].tolist() == [
            [0, 0, 1, 1],
            [0, 0.5, 0.5, 1],
            [0, 0, 0.5, 1],
        ]
        assert window["mask"].tolist() == [[True, True, True, False, False]]
        assert torch.equal(window["labels"], batch["labels"])
        assert batch["boxes"][0, 1].tolist() == [0.5, 0.25, 0.75, 0.5]

    def test_a_window_without_objects_is_a_picture_without_them(self) -> None:
        """Windows of a model that was trained on whole pictures."""
        conditioner = new_fourier(min_objects_per_image=0)
        geometry = PictureGeometry((64, 64), (16, 16), crop=(0.5, 0.0, 1.0, 0.5))
        left = {"label": "cat", "box": [0.0, 0.0, 0.5, 0.5]}
        window = conditioner.encode([[left]], geometry).stream
        empty = conditioner.encode([[]], GEOMETRY).stream
        for expected in (empty, conditioner.null(1, GEOMETRY).stream):
            assert torch.equal(window.tokens[:, 0], expected.tokens[:, 0])
            assert torch.equal(window.mask, expected.mask)

    def test_the_null_part_is_the_picture_token(self) -> None:
        conditioner = new_fourier()
        batch = new_fourier(min_objects_per_image=0).prepare([Layout(objects=())] * 2, GEOMETRY)
        expected, null = conditioner(batch, GEOMETRY).stream, conditioner.null(2, GEOMETRY).stream
        assert torch.equal(null.tokens, expected.tokens)
        assert null.mask.tolist() == [[True, False, False, False, False]] * 2

    def test_heads_must_divide_the_width(self) -> None:
        with pytest.raises(ValueError, match="heads=3 does not divide width=16"):
            new_fourier(heads=3)

    def test_attributes_are_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="is 'group', unknown to this model"):
            new_fourier().encode([[{**DOG, "group": True}]])


@BOTH
class TestBoth:
    def test_encoding_does_not_depend_on_the_batch(self, new: Any) -> None:
        conditioner = new()
        layouts = [[CAT, DOG], [DOG], [CAT, CAT, DOG]]
        together = tokens_of(conditioner.encode(layouts))
        for row, value in enumerate(layouts):
            torch.testing.assert_close(tokens_of(conditioner.encode([value]))[0], together[row])

    def test_it_is_differentiable(self, new: Any) -> None:
        conditioner = copy.deepcopy(new())
        tokens_of(conditioner.encode([[CAT, DOG]])).square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in conditioner.parameters())

    def test_it_runs_in_half_precision(self, new: Any) -> None:
        conditioner = new().to(torch.bfloat16)
        assert tokens_of(conditioner.encode([[CAT]])).dtype == torch.bfloat16
        assert tokens_of(conditioner.null(1, GEOMETRY)).dtype == torch.bfloat16

    def test_training_shuffles_objects_and_drops_the_smallest(self, new: Any) -> None:
        conditioner: ObjectsConditioner = new()
        layout = read(CAT, TINY, DOG, {**CAT, "label": "red apple"})
        orders = set()
        for seed in range(24):
            drawn = conditioner.augment(layout, np.random.default_rng(seed))
            orders.add(tuple(each.label for each in drawn.objects))
            again = conditioner.augment(layout, np.random.default_rng(seed))
            assert again == drawn
        assert len(orders) == 6
        assert {label for order in orders for label in order} == {"cat", 2, "red apple"}
        assert layout.objects[1].label == "dog"

    def test_the_smallest_object_can_be_chosen(self, new: Any) -> None:
        drawn = new(min_object_area=0.0).augment(read(TINY), np.random.default_rng(0))
        assert drawn == read(TINY)

    def test_emoji_scenes_can_feed_it(self, new: Any) -> None:
        glyphs = vocabulary("basic")
        conditioner = new(num_classes=len(glyphs), names=tuple(glyph.name for glyph in glyphs))
        scenes = EmojiScenes(SceneConfig(objects=(2, 4), scale=(0.3, 0.4)), seed=0)
        for index in range(4):
            objects = scenes.scene(index).objects
            numbers = [{"box": each.box, "label": each.class_id} for each in objects]
            named = [{"box": each.box, "label": each.glyph.name} for each in objects]
            batches = [
                conditioner.prepare([read(*each)], GEOMETRY) for each in (numbers, tuple(named))
            ]
            assert all(torch.equal(batches[0][key], batches[1][key]) for key in batches[0])

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (
                [{**CAT, "box": [0, 0, 1.1, 1]}],
                r"'objects\.0\.box\.x1': .* less than or equal to 1",
            ),
            ([{**CAT, "box": [-0.1, 0, 1, 1]}], r"'objects\.0\.box\.x0'"),
            ([CAT, {**CAT, "box": [0.5, 0, 0.4, 1]}], r"'objects\.1\.box': a box needs x0 < x1"),
            ([{**CAT, "box": [0, 1]}], r"'objects\.0\.box': a box is x0, y0, x1, y1, not 2"),
            ([CAT] * 5, "a layout has 5 objects, but at most 4 fit"),
            ([], "a layout has 0 objects, but this model needs 1 or more; leave"),
            ([CAT, {**CAT, "label": 3}], "object 1: there is no class 3; the classes are 0 to 2"),
            ([{**CAT, "label": -1}], "there is no class -1; the classes are 0 to 2"),
            ([{**CAT, "label": "red aple"}], "no class 'red aple'. Did you mean 'red apple'"),
            ([{"box": [0, 0, 1, 1]}], r"'objects\.0\.label' is required"),
            ([{**CAT, "lable": 2}], "there is no field 'objects.0.lable'"),
            ([CAT, TINY], r"object 1 \('dog'\) covers 1e-06 of the picture, .* below 1e-05"),
            ("cat", "'objects'"),
            ({**CAT, "box": [0.5, 0, 0.4, 1]}, r"'objects\.0\.box': a box needs x0 < x1"),
        ],
    )
    def test_invalid_layouts_are_refused(self, new: Any, value: Any, message: str) -> None:
        with pytest.raises(InvalidInputError, match=message) as error:
            new().encode([value])
        assert "\n" not in str(error.value)

    def test_too_few_objects_are_refused(self, new: Any) -> None:
        conditioner = new(min_objects_per_image=2)
        assert tokens_of(conditioner.encode([[CAT, DOG]])).shape[0] == 1
        with pytest.raises(InvalidInputError, match="has 1 objects, but this model needs 2"):
            conditioner.encode([[CAT]])


def test_a_single_object_is_accepted() -> None:
    assert read_input(Layout, CAT, "layout") == read(CAT)
    assert read_input(Layout, {"objects": [CAT]}, "layout") == read(CAT)


@BOTH
def test_the_schema_lists_the_names_of_the_classes(new: Any) -> None:
    schema = new().config.input_schema(Layout.model_json_schema())
    label = schema["$defs"]["LayoutObject"]["properties"]["label"]
    assert label["anyOf"][0] == {"type": "string", "enum": list(NAMES)}
    assert schema["properties"]["objects"]["maxItems"] == 4
    assert new().vocabulary() == NAMES
