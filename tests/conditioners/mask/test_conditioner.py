from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.contracts.images.pixels import pil_to_tensor
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier_conditioners.mask.conditioner import MaskConditioner
from latelier_conditioners.mask.inputs import Inpainting, MaskConfig

SD: dict[str, Any] = {"latent_channels": 3}
ZERO = {**SD, "mask_values": (1, 0), "zero_repainted": True}
PAPER = {**SD, "mask_first": False, "mask_values": (-1, 1), "hole_value": -1}


class Halving(torch.nn.Module):
    """A first stage that keeps every other pixel, in the precision of its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        assert images.dtype == self.weight.dtype
        return images[:, :, ::2, ::2] * self.weight


GEOMETRY = PictureGeometry((4, 6), (2, 3), first_stage=Halving())
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8))
HOLE = np.zeros((4, 6), dtype=bool)
HOLE[:3, 2:] = True


def new_masks(**config: Any) -> MaskConditioner:
    return MaskConditioner(MaskConfig.model_validate(config or SD))


def part(
    conditioner: MaskConditioner, mask: Any = HOLE, geometry: PictureGeometry = GEOMETRY
) -> torch.Tensor:
    spatial = conditioner.encode([{"image": PICTURE, "mask": mask}], geometry).spatial
    assert spatial is not None
    return spatial


@pytest.mark.parametrize(
    ("config", "hole", "values", "mask_at"), [(SD, 0, (0, 1), 0), (PAPER, -1, (-1, 1), 3)]
)
def test_the_channels_are_those_of_the_published_models(
    config: dict[str, Any], hole: float, values: tuple[float, float], mask_at: int
) -> None:
    conditioner = new_masks(**config)
    given = part(conditioner)
    assert given.shape == (1, 4, 2, 3)
    assert conditioner.config.outputs().spatial == 4
    mask = given[0, mask_at]
    latents = given[0, [k for k in range(4) if k != mask_at]]
    holes = torch.tensor(HOLE)
    assert torch.equal(mask, torch.where(holes[::2, ::2], *map(float, reversed(values))))
    masked = torch.where(holes, float(hole), pil_to_tensor(PICTURE))
    assert torch.equal(latents, masked[:, ::2, ::2])


@pytest.mark.parametrize(("config", "hole", "value"), [(SD, 0, 1), (PAPER, -1, 1)])
def test_the_null_part_is_masked_everywhere(
    config: dict[str, Any], hole: float, value: float
) -> None:
    conditioner = new_masks(**config)
    null = conditioner.null(3, GEOMETRY).spatial
    assert null is not None
    assert torch.equal(null, part(conditioner, np.ones((4, 6), dtype=bool)).expand(3, -1, -1, -1))
    assert sorted(set(null.flatten().tolist())) == sorted({float(hole), float(value)})


def test_repainted_cells_are_zero_and_the_mask_is_the_kept_share() -> None:
    conditioner = new_masks(**ZERO)
    mask, latents = part(conditioner)[0].split([1, 3])
    assert mask[0].tolist() == [[1, 0, 0], [1, 0.5, 0.5]]  # the last row of pixels is kept
    plain = part(new_masks())[0, 1:]
    assert torch.equal(latents, torch.where(mask > 0, plain, 0.0))
    assert latents[:, :, 0].any()


def test_without_an_input_nothing_is_kept() -> None:
    conditioner = new_masks(**ZERO)
    null = conditioner.null(3, GEOMETRY).spatial
    assert null is not None
    assert torch.equal(null, torch.zeros(3, 4, 2, 3))
    assert torch.equal(part(conditioner, np.ones((4, 6), dtype=bool)), null[:1])


def test_zeros_need_a_mask_whose_repainted_value_is_zero() -> None:
    with pytest.raises(ValueError, match=r"mask_values is \(0, 1\); set mask_values to \(1, 0\)"):
        new_masks(**SD, zero_repainted=True)


def test_it_works_in_the_precision_of_the_first_stage_without_training_it() -> None:
    geometry = PictureGeometry((4, 6), (2, 3), first_stage=Halving().to(torch.bfloat16))
    given = part(new_masks(), geometry=geometry)
    assert given.dtype == torch.bfloat16
    assert not given.requires_grad


def test_greys_are_rounded_to_black_or_white() -> None:
    grey = np.array([[0, 127, 128, 255]], dtype=np.uint8)
    value = Inpainting(image=PICTURE.resize((4, 1)), mask=grey)
    assert list(value.mask.tobytes()) == [0, 0, 255, 255]


def test_masks_of_0_and_1_are_accepted() -> None:
    assert torch.equal(part(new_masks(), HOLE.astype(np.uint8)), part(new_masks()))
    assert torch.equal(part(new_masks(), Image.fromarray(HOLE)), part(new_masks()))


def test_the_image_determines_the_size() -> None:
    assert new_masks().output_size(Inpainting(image=PICTURE, mask=HOLE)) == (6, 4)


def test_the_schema_requires_both_and_explains_the_mask_colours() -> None:
    schema = Inpainting.model_json_schema()
    assert schema["required"] == ["image", "mask"]
    assert schema["properties"]["mask"]["format"] == "mask"
    assert "white (255, or 1 in a mask of 0 and 1) is repainted" in str(schema)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"image": PICTURE, "mask": ~HOLE & HOLE}, "nothing is repainted: white is repainted"),
        ({"image": PICTURE, "mask": np.full((4, 6), 100, np.uint8)}, "black everywhere"),
        ({"image": PICTURE, "mask": HOLE[:3]}, "the mask is 6x3 and the image 6x4"),
        ({"image": PICTURE}, "needs an image and a mask"),
        (PICTURE, "needs an image and a mask"),
        ({"mask": HOLE}, "'image' is required"),
        ({"image": PICTURE, "mask": None}, "'mask': an image is"),
        ({"image": PICTURE, "maks": HOLE}, "Did you mean 'mask'"),
        (
            {"image": PICTURE.resize((6, 6)), "mask": np.ones((6, 6), bool)},
            "the image to inpaint is 6x6, but the picture is 6x4; leave the size out",
        ),
    ],
)
def test_invalid_inputs_are_refused(value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        new_masks().encode([value], GEOMETRY)


def test_an_incompatible_first_stage_is_refused() -> None:
    with pytest.raises(
        CompatibilityError, match="latents of 3 channels for masked images, not latent"
    ):
        part(new_masks(latent_channels=4))
    with pytest.raises(CompatibilityError, match="the geometry has no first stage"):
        part(new_masks(), geometry=PictureGeometry((4, 6), (2, 3)))


@pytest.mark.parametrize("share", [(0.5, 0.4), (0.5, 0.52), (0, 0.5), (0.5, 1)])
def test_invalid_ranges_of_shares_are_refused(share: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="drawn_share"):
        new_masks(**SD, drawn_share=share)


def test_training_draws_a_mask_for_a_bare_image() -> None:
    image = EmojiScenes()[0]["image"]
    conditioner = new_masks()
    value = Inpainting(image=image)
    drawn = conditioner.augment(value, np.random.default_rng(1))
    again = conditioner.augment(value, np.random.default_rng(1))
    assert drawn == again
    assert drawn != conditioner.augment(value, np.random.default_rng(2))
    assert drawn.mask.size == (64, 64)
    assert conditioner.augment(drawn, np.random.default_rng(2)) is drawn


def test_masks_of_emoji_scenes_are_accepted() -> None:
    scene = EmojiScenes().scene(3)
    value = Inpainting(image=scene.image, mask=scene.mask())
    batch = new_masks().prepare([value], PictureGeometry((64, 64), (32, 32)))
    assert np.array_equal(batch["mask"][0, 0].numpy(), scene.mask())
    assert torch.equal(batch["image"][0], EmojiScenes()[3]["image"])


def test_a_finished_picture_has_the_known_pixels() -> None:
    made = Image.new("RGB", (6, 4), "red")
    finished = np.asarray(new_masks().postprocess(made, Inpainting(image=PICTURE, mask=HOLE)))
    assert np.array_equal(finished[~HOLE], np.asarray(PICTURE)[~HOLE])
    assert (finished[HOLE] == (255, 0, 0)).all()


def test_compositing_needs_one_size() -> None:
    value = Inpainting(image=PICTURE, mask=HOLE)
    with pytest.raises(InvalidInputError, match="not picture 3x3, image 6x4, mask 6x4"):
        new_masks().postprocess(Image.new("RGB", (3, 3)), value)
