import math

import numpy as np
import pytest

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import InvalidInputError
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier_samplers.schedules.dynamic_shift import dynamic_shift

FLOW = RectifiedFlow()


def of_size(height: int, width: int) -> PictureGeometry:
    """Return the geometry of a picture of these sides, of a first stage of factor 8."""
    return PictureGeometry((height, width), (height // 8, width // 8))


@pytest.mark.parametrize(
    ("side", "factor"), [(512, 1.877611), (1024, math.exp(1.15)), (2048, 25.27965)]
)
def test_the_shift_is_that_of_flux(side, factor):
    """FLUX.1 has mu 0.5 at 256 and 1.15 at 4096 tokens, on one line also beyond."""
    sigmas = dynamic_shift(2, FLOW, geometry=of_size(side, side))
    assert sigmas[0] == 1
    assert sigmas[1] / (1 - sigmas[1]) == pytest.approx(factor, rel=1e-6)
    assert sigmas[2] == 0


@pytest.mark.parametrize("size", [(256, 256), (512, 768), (1024, 1024), (1536, 640)])
@pytest.mark.parametrize("steps", [1, 4, 28, 50])
def test_it_equals_diffusers(size, steps):
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True,
        base_shift=0.5,
        max_shift=1.15,
        base_image_seq_len=256,
        max_image_seq_len=4096,
    )
    tokens = (size[0] // 16) * (size[1] // 16)
    mu = tokens * 0.65 / 3840 + 0.5 - 256 * 0.65 / 3840
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), mu=mu)
    sigmas = dynamic_shift(steps, FLOW, geometry=of_size(*size))
    np.testing.assert_allclose(list(sigmas), scheduler.sigmas.numpy(), rtol=0, atol=1e-6)
    times = [float(FLOW.timestep(sigma)) for sigma in sigmas[:-1]]
    np.testing.assert_allclose(times, scheduler.timesteps.numpy(), rtol=0, atol=1e-3)


def test_tokens_are_counted_in_patches_of_the_latents():
    quarter = dynamic_shift(4, FLOW, geometry=of_size(512, 512), patch_size=1)
    assert quarter == dynamic_shift(4, FLOW, geometry=of_size(1024, 1024), patch_size=2)


def test_equal_shifts_are_a_shift_for_all_sizes():
    """Such as the factor 3 of SD3."""
    options = {"base_shift": math.log(3), "max_shift": math.log(3)}
    for side in (256, 1024):
        sigmas = dynamic_shift(4, FLOW, geometry=of_size(side, side), **options)
        assert list(sigmas) == pytest.approx([1, 0.9, 0.75, 0.5, 0])


def test_the_numbers_of_tokens_must_differ():
    with pytest.raises(InvalidInputError, match="above base_tokens, not 256 and 256"):
        dynamic_shift(4, FLOW, geometry=of_size(256, 256), max_tokens=256)


def test_there_are_no_more_steps_than_in_training():
    with pytest.raises(InvalidInputError, match=r"1 to 1000 steps.*not 1001"):
        dynamic_shift(1001, FLOW, geometry=of_size(256, 256))
