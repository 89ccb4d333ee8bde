"""The numbers that say how a picture was cut: their order, their defaults and their sinusoids."""

import pytest
import torch

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.inputs import read_input
from latelier.nn.sinusoids import embed_numbers
from latelier_conditioners.picture_size.conditioner import PictureSizeConditioner
from latelier_conditioners.picture_size.inputs import PictureSize, PictureSizeConfig

GEOMETRY = PictureGeometry((768, 1024), (96, 128))
REFINER = ("original_size", "crop", "aesthetic_score")


def numbers(value, **config):
    conditioner = PictureSizeConditioner(PictureSizeConfig(**config))
    return conditioner.prepare([read_input(PictureSize, value, "picture_size")], GEOMETRY)[
        "numbers"
    ]


def test_heights_come_before_widths():
    value = {"original_size": [640, 480], "crop": [8, 16], "target_size": [320, 240]}
    assert numbers(value).tolist() == [[480, 640, 16, 8, 240, 320]]
    value = {"original_size": [640, 480], "crop": [8, 16], "aesthetic_score": 2.5}
    assert numbers(value, numbers=REFINER).tolist() == [[480, 640, 16, 8, 2.5]]


def test_by_default_the_picture_is_whole_and_of_its_own_size():
    assert numbers({}).tolist() == [[768, 1024, 0, 0, 768, 1024]]
    assert numbers({}, numbers=REFINER).tolist() == [[768, 1024, 0, 0, 6]]


def test_the_vector_holds_the_sinusoids_of_each_number():
    conditioner = PictureSizeConditioner(PictureSizeConfig(width=8))
    null = conditioner.null(2, GEOMETRY)
    expected = embed_numbers(torch.tensor([768.0, 1024, 0, 0, 768, 1024]), 8).flatten()
    assert torch.equal(null.vector, expected.expand(2, -1))
    assert conditioner.config.outputs().vector == 48
    assert conditioner.config.is_kept_in_negative


def test_diffusers_embeds_them_alike():
    embeddings = pytest.importorskip("diffusers.models.embeddings")
    theirs = embeddings.Timesteps(256, flip_sin_to_cos=True, downscale_freq_shift=0)
    conditioner = PictureSizeConditioner(PictureSizeConfig())
    expected = theirs(torch.tensor([768.0, 1024, 0, 0, 768, 1024])).flatten()
    assert torch.equal(conditioner.null(1, GEOMETRY).vector[0], expected)


def test_a_number_that_the_model_does_not_take_is_refused():
    with pytest.raises(InvalidInputError, match="takes no aesthetic_score; it takes original_size"):
        numbers({"aesthetic_score": 6.0})
    with pytest.raises(InvalidInputError, match="takes no target_size"):
        numbers({"target_size": [8, 8]}, numbers=REFINER)


def test_a_form_has_only_the_numbers_of_the_model():
    schema = PictureSizeConfig(numbers=REFINER).input_schema(PictureSize.model_json_schema())
    assert list(schema["properties"]) == list(REFINER)


def test_numbers_are_named_once():
    with pytest.raises(ValueError, match="numbers has 'crop' twice"):
        PictureSizeConfig(numbers=("crop", "crop"))
