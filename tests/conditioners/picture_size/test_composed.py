"""A model that is told the size of the picture, as Stable Diffusion XL is."""

import pytest

REQUEST = {"seed": 3, "size": (24, 16), "steps": 2}


@pytest.fixture
def compose_sized(compose_tiny, tiny_changes):
    """Compose the tiny model with `picture_size` and the label as joint vectors."""

    def compose(*without, **changes):
        parts = tiny_changes()
        _, denoiser = parts["denoiser"]
        vectors = {"label": 8, "picture_size": 48}
        conditioners = {**parts["conditioners"], "picture_size": ("picture_size", {"width": 8})}
        for name in without:
            del conditioners[name]
        denoiser = {
            **denoiser,
            "vectors": {name: vectors[name] for name in vectors if name in conditioners},
            "joint_vectors": [name for name in vectors if name in conditioners],
        }
        if "text" in without:
            denoiser |= {"streams": {}, "context_dim": None}
        return compose_tiny(
            denoiser=("unet", denoiser), conditioners=conditioners, inputs=None, **changes
        )

    return compose


def pixels(pipeline, **request):
    return pipeline.generate(**REQUEST, **request)[0].image.tobytes()


@pytest.mark.parametrize("window", [None, (16, 16)])
def test_a_prompt_is_enough_and_sizes_change_the_picture(compose_sized, window):
    pipeline = compose_sized()
    bare = pixels(pipeline, text="a red cat", window=window)
    for given, is_same in [({}, True), ({"crop": [0, 0]}, True), ({"crop": [9, 0]}, False)]:
        made = pixels(pipeline, text="a red cat", window=window, picture_size=given)
        assert (made == bare) == is_same, given


def test_guidance_keeps_the_size(compose_sized):
    """Guidance 0 is the estimate without the text, which knows the size all the same."""
    pipeline, cut = compose_sized(), {"crop": [9, 0]}

    def unconditional(**request):
        return pixels(pipeline, guidance=0.0, text="a red cat", **request)

    assert unconditional(picture_size=cut) != unconditional()
    assert unconditional(picture_size=cut) == unconditional(negative={"picture_size": cut})


def test_a_model_of_sizes_alone_is_not_guided(compose_sized):
    pipeline = compose_sized("text", "label", defaults={"size": 16})
    assert pipeline.defaults.guidance.options == {"scale": 1.0}
    assert pixels(pipeline)
