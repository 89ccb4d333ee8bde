"""Which noise a stochastic sampler draws."""

import pytest
import torch

from latelier.contracts.errors import InvalidInputError

REQUEST = {"prompt": "a red cat in a meadow", "seed": 5, "sampler": "euler_ancestral"}


def latents_of(pipeline, **keywords):
    *_, last = pipeline.stream(**{**REQUEST, **keywords})
    return last.latents


def test_noise_is_independent_by_default(tiny):
    independent = latents_of(tiny, steps=4)
    assert torch.equal(independent, latents_of(tiny, steps=4, noise="independent"))
    assert not torch.allclose(independent, latents_of(tiny, steps=4, noise="brownian"))


@pytest.mark.parametrize("process", ["vp", "rectified_flow"])
def test_brownian_noise_converges_with_more_steps(compose_tiny, process):
    pipeline = compose_tiny(process={"kind": process})

    def change(noise):
        few, many = (latents_of(pipeline, steps=steps, noise=noise) for steps in (30, 60))
        return (few - many).norm() / many.norm()

    assert change("brownian") < change("independent") / 2


def test_the_path_of_an_image_does_not_depend_on_the_batch(tiny):
    both = latents_of(tiny, steps=4, n=2, noise="brownian")
    alone = latents_of(tiny, steps=4, seed=6, noise="brownian")
    torch.testing.assert_close(both[1:], alone, rtol=1e-4, atol=1e-4)


def test_the_kind_of_noise_is_in_the_provenance(tiny):
    [picture] = tiny.generate(**REQUEST, steps=2, noise="brownian")
    assert picture.provenance["request"]["noise"] == "brownian"


def test_an_unknown_kind_of_noise_is_an_error(tiny):
    with pytest.raises(InvalidInputError, match=r"'noise': .*'independent' or 'brownian'"):
        tiny.generate(**REQUEST, steps=2, noise="pink")
