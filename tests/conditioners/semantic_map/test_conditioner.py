from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate, one_hot

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.emoji_scenes.scene import SEMANTIC_CLASSES
from latelier_conditioners.semantic_map.conditioner import SemanticMapConditioner, label_shares
from latelier_conditioners.semantic_map.inputs import SemanticMapConfig, SemanticMapInput

GEOMETRY = PictureGeometry((8, 16), (2, 4))
RGB = ("red", "#00ff00", "blue")


def new_maps(**options: Any) -> SemanticMapConditioner:
    config: dict[str, Any] = {"num_classes": 3, "n_stages": 2}
    return SemanticMapConditioner(SemanticMapConfig.model_validate({**config, **options}))


def some_labels(height: int = 8, width: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, (height, width), dtype=np.uint8)


def labels(
    conditioner: SemanticMapConditioner, value: Any, geometry: PictureGeometry = GEOMETRY
) -> Any:
    return conditioner.prepare([SemanticMapInput(map=value)], geometry)["labels"][0].numpy()


def test_the_convolution_matches_the_published_model() -> None:
    with torch.device("meta"):
        conditioner = new_maps(num_classes=182, out_channels=3)
    shapes = {key: tuple(value.shape) for key, value in conditioner.state_dict().items()}
    assert shapes == {"channel_mapper.weight": (3, 182, 1, 1)}
    assert conditioner.config.outputs().spatial == 3
    assert new_maps().config.outputs().spatial == 3
    assert not new_maps().state_dict()


@pytest.mark.parametrize("n_stages", [0, 1, 2, 3])
def test_shares_are_the_one_hot_map_downsampled_bilinearly(n_stages: int) -> None:
    ids = torch.tensor(
        np.stack([some_labels(16, 24), some_labels(16, 24).T.reshape(16, 24)])
    ).long()
    expected = one_hot(ids, 5).permute(0, 3, 1, 2).float()
    for _ in range(n_stages):
        expected = interpolate(expected, scale_factor=0.5, mode="bilinear")
    torch.testing.assert_close(label_shares(ids, 5, n_stages), expected, rtol=0, atol=1e-7)


def test_the_part_is_the_convolution_of_the_shares() -> None:
    conditioner = new_maps(out_channels=2)
    part = conditioner.encode([some_labels(), some_labels()[::-1].copy()], GEOMETRY)
    assert part.spatial is not None
    shares = label_shares(torch.tensor(some_labels()).long()[None], 3, 2)
    expected = torch.einsum("ok,bkhw->bohw", conditioner.channel_mapper.weight[..., 0, 0], shares)
    torch.testing.assert_close(part.spatial[:1], expected)
    assert part.spatial.shape == (2, 2, 2, 4)
    part.spatial.sum().backward()
    assert conditioner.channel_mapper.weight.grad.abs().sum() > 0


def test_it_works_in_half_precision() -> None:
    part = new_maps(out_channels=2).to(torch.bfloat16).encode([some_labels()], GEOMETRY)
    assert part.spatial is not None
    assert part.spatial.dtype == torch.bfloat16


@pytest.mark.parametrize("out_channels", [None, 2])
def test_the_null_part_has_no_label(out_channels: int | None) -> None:
    conditioner = new_maps(out_channels=out_channels)
    null = conditioner.null(3, GEOMETRY).spatial
    assert null is not None
    assert torch.equal(null, torch.zeros(3, out_channels or 3, 2, 4))


def test_labels_are_read_from_grey_palette_and_colours() -> None:
    ids = some_labels()
    painted = Image.fromarray(ids, "P")
    painted.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    for value in (ids, Image.fromarray(ids), painted):
        assert np.array_equal(labels(new_maps(), value), ids)
    for value in (ids, painted, painted.convert("RGB")):
        assert np.array_equal(labels(new_maps(colors=RGB), value), ids)


def test_a_palette_in_another_order_is_read_by_colour_where_the_model_has_colours() -> None:
    painted = Image.fromarray(2 - some_labels(), "P")
    painted.putpalette([0, 0, 255, 0, 255, 0, 255, 0, 0])
    assert np.array_equal(labels(new_maps(colors=RGB), painted), some_labels())
    assert np.array_equal(labels(new_maps(), painted), 2 - some_labels())


def test_the_map_determines_the_size_and_is_resized_within_its_aspect() -> None:
    conditioner, ids = new_maps(), some_labels()
    assert conditioner.output_size(SemanticMapInput(map=ids)) == (16, 8)
    doubled = labels(conditioner, ids, PictureGeometry((16, 32), (4, 8)))
    assert np.array_equal(doubled, ids.repeat(2, 0).repeat(2, 1))
    assert np.array_equal(labels(conditioner, doubled), ids)
    odd = labels(conditioner, some_labels(12, 24))
    expected = Image.fromarray(some_labels(12, 24)).resize((16, 8), Image.Resampling.NEAREST)
    assert np.array_equal(odd, np.asarray(expected))


@pytest.mark.parametrize(
    ("options", "value", "message"),
    [
        (
            {},
            np.array([[0, 255, 7, 255] * 2] * 4),
            r"know: 255 \(16 pixels\), 7 \(8 pixels\); its labels are 0 to 2",
        ),
        ({}, np.array([[0, 3]]), r"3 \(1 pixel\);"),
        ({}, np.arange(20)[None], r"3 \(1 pixel\), .* and 12 more; its labels"),
        ({}, np.zeros((8, 16, 3), np.uint8), "by their numbers, not by colours: give a grey or"),
        (
            {"colors": RGB},
            np.full((8, 16, 3), 9, np.uint8),
            r"#090909 \(128 pixels\); its first are #ff0000, #00ff00",
        ),
        ({}, np.zeros((8, 8), np.uint8), "semantic map is 8x8 and the picture 16x8; give a map of"),
        ({}, np.array([[-1]]), "'map': labels are from 0"),
        ({}, "nowhere.png", "'map': no image can be read"),
    ],
)
def test_invalid_maps_are_refused(options: Any, value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        new_maps(**options).encode([value], GEOMETRY)


def test_downsampling_must_match_the_latent_size() -> None:
    with pytest.raises(CompatibilityError, match=r"4 times smaller, .* of a picture 16x8 are 8x4"):
        new_maps().encode([some_labels()], PictureGeometry((8, 16), (4, 8)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colors": ("red",)}, "1 colors for num_classes=3"),
        ({"colors": ("red", "#f00", "blue")}, "several labels have '#ff0000' in colors"),
        ({"names": ("sky", "sea", "sky")}, "several labels have 'sky' in names"),
        ({"n_stages": -1}, "greater than or equal to 0"),
    ],
)
def test_inconsistent_configurations_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        new_maps(**options)


def test_maps_of_emoji_scenes_are_accepted() -> None:
    ids = EmojiScenes().scene(3).semantic_map
    conditioner = new_maps(num_classes=len(SEMANTIC_CLASSES), names=SEMANTIC_CLASSES)
    assert np.array_equal(labels(conditioner, ids, PictureGeometry((64, 64), (16, 16))), ids)
    assert np.array_equal(
        labels(conditioner, torch.tensor(ids), PictureGeometry((64, 64), (16, 16))), ids
    )


def test_the_schema_lists_labels_with_names_and_colours() -> None:
    config = new_maps(names=["sky", "sea", "sand"], colors=RGB).config
    assert config.input_schema(SemanticMapInput.model_json_schema())["properties"]["map"][
        "labels"
    ] == [
        {"value": 0, "name": "sky", "color": "#ff0000"},
        {"value": 1, "name": "sea", "color": "#00ff00"},
        {"value": 2, "name": "sand", "color": "#0000ff"},
    ]
    bare = new_maps().config.input_schema(SemanticMapInput.model_json_schema())
    assert bare["properties"]["map"]["labels"] == [{"value": 0}, {"value": 1}, {"value": 2}]


def test_the_vocabulary_is_the_names() -> None:
    assert new_maps(names=["sky", "sea", "sand"]).vocabulary() == ("sky", "sea", "sand")
