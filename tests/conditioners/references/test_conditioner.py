import numpy as np
import pytest
import torch
from PIL import Image

from latelier.checkpoints.component import new_component
from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier_conditioners.references.conditioner import ReferencesConditioner
from latelier_conditioners.references.inputs import References, ReferencesConfig


class Pooling:
    """A first stage whose latents are the means of cells of 2 x 2 pixels."""

    def encode(self, images):
        return torch.nn.functional.avg_pool2d(images, 2)


GEOMETRY = PictureGeometry((16, 16), (8, 8), first_stage=Pooling())
CONFIG = ReferencesConfig(latent_channels=3, size=32, patch=2)


def new(config=CONFIG):
    return ReferencesConditioner(config)


def drawing(size=(40, 30), area=(10, 5, 30, 15), color=(255, 0, 0, 255)):
    picture = Image.new("RGBA", size)
    picture.paste(color, area)
    return picture


def prepare(*pictures):
    return new().prepare([References(pictures=pictures)], GEOMETRY)


def test_what_is_visible_is_centred_and_fills_the_canvas():
    batch = prepare(drawing())
    alpha = batch["pictures"][0, 0, 3].numpy()
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    assert (columns[0], columns[-1]) == (1, 29)  # 0.92 of 32 is 29
    assert (rows[0], rows[-1]) == (8, 22)
    assert batch["mask"].tolist() == [[True]]


def test_place_and_size_in_the_file_do_not_matter():
    one = prepare(drawing())["pictures"]
    other = prepare(drawing((90, 90), (1, 60, 21, 70)))["pictures"]
    assert torch.equal(one, other)


def test_a_faint_shadow_is_not_part_of_what_is_shown():
    shadow = drawing()
    shadow.paste((0, 0, 0, 20), (0, 20, 40, 30))
    assert torch.equal(prepare(shadow)["pictures"], prepare(drawing())["pictures"])


def test_tokens_are_patches_places_and_slots():
    value = References(pictures=[drawing(), drawing(color=(0, 0, 255, 255))])
    stream = new()(new().prepare([value], GEOMETRY), GEOMETRY).stream
    assert stream.tokens.shape == (1, 2 * 64, CONFIG.width)
    assert CONFIG.width == 4 * 4 + 16 + 3
    middle = stream.tokens[0].view(2, 8, 8, -1)[:, 4, 4]
    # one number for each of the 2 x 2 cells, channel by channel: red, green, blue and alpha
    assert middle[0, :16].tolist() == pytest.approx([1] * 4 + [-1] * 8 + [1] * 4, abs=0.02)
    assert middle[1, :16].tolist() == pytest.approx([-1] * 8 + [1] * 8, abs=0.02)
    corner = stream.tokens[0].view(2, 8, 8, -1)[0, 0, 0, :16]
    assert corner.tolist() == [0.0] * 16  # grey, and alpha 0
    assert middle[:, -3:].tolist() == [[1, 0, 0], [0, 1, 0]]
    places = stream.tokens[0].view(2, 64, -1)[:, :, 16:32]
    assert torch.equal(places[0], places[1])
    assert len(places[0].unique(dim=0)) == 64


def test_empty_slots_are_masked():
    inputs = [References(pictures=[drawing()]), References(pictures=[drawing()] * 2)]
    stream = new()(new().prepare(inputs, GEOMETRY), GEOMETRY).stream
    assert stream.mask.view(2, 2, 64).all(2).tolist() == [[True, False], [True, True]]


def test_a_sample_without_pictures_is_nothing():
    inputs = [References(pictures=[]), References(pictures=[drawing()])]
    stream = new()(new().prepare(inputs, GEOMETRY), GEOMETRY).stream
    assert stream.mask.view(2, 64).tolist() == [[False] * 64, [True] * 64]
    alone = new()(new().prepare(inputs[:1], GEOMETRY), GEOMETRY).stream
    assert alone.tokens.shape == (1, 64, CONFIG.width)
    assert not alone.mask.any()


def test_null_shows_nothing():
    stream = new().null(2, GEOMETRY).stream
    assert stream.tokens.shape == (2, 1, CONFIG.width)
    assert not stream.mask.any()


def test_the_first_stage_gets_no_gradient():
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def encode(self, images):
            return images * self.scale

    geometry = PictureGeometry((16, 16), (16, 16), first_stage=Scaled())
    part = new()(prepare(drawing()), geometry)
    assert not part.stream.tokens.requires_grad


def test_a_first_stage_that_does_not_fit_is_an_error():
    with pytest.raises(CompatibilityError, match="no first stage"):
        new()(prepare(drawing()), PictureGeometry((16, 16), (8, 8)))
    with pytest.raises(
        CompatibilityError, match="latents of 3 channels for references, not latent_channels=4"
    ):
        new(CONFIG.model_copy(update={"latent_channels": 4}))(prepare(drawing()), GEOMETRY)
    with pytest.raises(
        CompatibilityError,
        match="latents of 16x16 for references; expected sides that are multiples of patch=3",
    ):
        new(CONFIG.model_copy(update={"patch": 3}))(prepare(drawing()), GEOMETRY)


@pytest.mark.parametrize("name", ["cat", 7])
def test_a_name_needs_a_database(name):
    with pytest.raises(InvalidInputError, match="no database"):
        prepare(name)


def test_the_schema_has_the_most_pictures():
    schema = CONFIG.input_schema(References.model_json_schema())
    assert schema["properties"]["pictures"]["maxItems"] == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pictures_are_encoded_in_the_precision_that_the_first_stage_computes_in(built_ins, dtype):
    values = {"ch": 8, "ch_mult": (1, 2), "num_res_blocks": 1, "num_groups": 4, "embed_dim": 3}
    config = {**values, "z_channels": 3, "attn_type": "none"}
    component = new_component("first_stage", "autoencoder_kl", config, built_ins)
    stored = component.converted(torch.float16)
    found = []
    for each in (stored.to(torch.device("cpu"), dtype), stored.converted(dtype)):
        each.module.eval().requires_grad_(False)
        geometry = PictureGeometry((16, 16), (8, 8), first_stage=each.module)
        batch = new().prepare([References(pictures=[drawing()])], geometry)
        found.append(new()(batch, geometry).stream.tokens)
    assert found[0].dtype == found[1].dtype == dtype
    torch.testing.assert_close(*found, rtol=0.02, atol=0.02)
