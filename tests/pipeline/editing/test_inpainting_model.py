"""`init_image` and `mask` with a model that is trained to inpaint: it is given both."""

import numpy as np
import pytest
import torch

from latelier.contracts.errors import InvalidConfigError, InvalidInputError

REQUEST = {"prompt": "a red cat", "seed": 5, "steps": 4}


@pytest.fixture
def compose_inpainting(compose_tiny, tiny_changes):
    def compose_it(**changes):
        parts = tiny_changes()
        _, denoiser = parts["denoiser"]
        return compose_tiny(
            denoiser=("unet", {**denoiser, "vectors": {}, "spatial": {"hole": 5}}),
            conditioners={
                "text": parts["conditioners"]["text"],
                "hole": ("mask", {"latent_channels": 4}),
            },
            inputs={"prompt": "text"},
            **changes,
        )

    return compose_it


@pytest.fixture
def seen(compose_inpainting):
    """A pipeline, and the spatial parts that its denoiser is given."""
    pipeline, parts = compose_inpainting(), []
    pipeline.denoiser.register_forward_pre_hook(
        lambda _, given: parts.append(given[2].spatial["hole"])
    )
    return pipeline, parts


def levels(picture):
    return np.asarray(picture.image)


def test_the_model_receives_the_mask_and_known_pixels_are_exact(seen, photo, left_stays):
    pipeline, parts = seen
    (picture,) = pipeline.generate(**REQUEST, init_image=photo, mask=left_stays)
    assert (levels(picture)[:, :9] == np.asarray(photo)[:, :9]).all()
    assert (levels(picture)[:, 9:] != np.asarray(photo)[:, 9:]).any()
    holes = parts[0][0, 0]
    assert holes[:, :4].eq(0).all()
    assert holes[:, 5:].eq(1).all()


def test_sampling_starts_from_noise_without_replaced_latents(seen, photo, other_photo, left_stays):
    """Only the condition depends on the picture: that is how the model was trained."""
    pipeline, _ = seen
    handle = pipeline.denoiser.register_forward_pre_hook(lambda _, given: starts.append(given[0]))
    starts = []
    for image in (photo, other_photo):
        pipeline.generate(**REQUEST, init_image=image, mask=left_stays)
    handle.remove()
    assert torch.equal(starts[0], starts[4])
    assert not torch.equal(starts[3], starts[7])


def test_below_strength_1_sampling_starts_from_the_picture(seen, photo, left_stays):
    pipeline, _ = seen
    keywords = {**REQUEST, "init_image": photo, "mask": left_stays}
    weak, strong = (levels(pipeline.generate(**keywords, strength=s)[0]) for s in (0.25, 1.0))
    assert (weak[:, :9] == np.asarray(photo)[:, :9]).all()
    assert (weak != strong).any()


def test_a_white_mask_repaints_everything(seen, photo):
    pipeline, parts = seen
    white = np.full((16, 24), 255, np.uint8)
    (picture,) = pipeline.generate(**REQUEST, init_image=photo, mask=white)
    assert picture.image.size == (24, 16)
    assert parts[0][:, 0].eq(1).all()


def test_picture_and_mask_are_resized_with_a_size(seen, photo, left_stays):
    pipeline, _ = seen
    (picture,) = pipeline.generate(**REQUEST, init_image=photo, mask=left_stays, size=(48, 32))
    doubled = photo.resize((48, 32), 1)
    assert (levels(picture)[:, :18] == np.asarray(doubled)[:, :18]).all()


def test_each_row_has_its_own_picture_and_mask(seen, photo, other_photo, left_stays):
    pipeline, parts = seen
    pictures = pipeline.generate(**REQUEST, init_image=[photo, other_photo], mask=left_stays, n=2)
    for picture, original in zip(pictures, (photo, photo, other_photo, other_photo), strict=True):
        assert (levels(picture)[:, :9] == np.asarray(original)[:, :9]).all()
    rows = parts[0][:4]
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[1], rows[2])


def test_the_conditioner_of_the_mask_is_not_a_public_input(compose_inpainting):
    pipeline = compose_inpainting()
    assert list(pipeline.input_schemas()) == ["prompt"]
    assert pipeline.inpainting_conditioners == ("hole",)


def test_an_input_named_mask_is_refused(compose_tiny, tiny_changes):
    with pytest.raises(InvalidConfigError, match="cannot be called 'mask': a keyword has that nam"):
        compose_tiny(inputs={"prompt": "text", "mask": "label"})


def test_provenance_records_picture_and_mask_once_and_reproduces(
    compose_inpainting, photo, left_stays
):
    pipeline = compose_inpainting()
    (picture,) = pipeline.generate(**REQUEST, init_image=photo, mask=left_stays)
    request = dict(picture.provenance["request"])
    assert list(request["inputs"]) == ["prompt"]
    assert (len(request["init_image"]), len(request["mask"])) == (1, 1)
    (again,) = pipeline.generate(**request.pop("inputs"), **request)
    assert again.image.tobytes() == picture.image.tobytes()


def test_repaint_resampling_is_refused(compose_inpainting, photo, left_stays):
    with pytest.raises(InvalidInputError, match="this model is trained to inpaint"):
        compose_inpainting().stream(
            **REQUEST, init_image=photo, mask=left_stays, repaint_resamples=2
        )
