"""`mask`: white is repainted, black stays exactly, whatever the sampler."""

import numpy as np
import pytest
import torch
from PIL import Image

from latelier import default_atelier
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sampling import run_sampler
from latelier.diffusion.noise import PerImageNoise
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.configs import AutoencoderKLConfig
from latelier.pipeline.editing.inpaint import (
    InpaintState,
    encode_init_images,
    make_inpaint_mask,
)
from latelier_samplers.ddim import ddim
from latelier_samplers.dpmpp_2m import dpmpp_2m
from latelier_samplers.heun import heun
from latelier_samplers.plms import plms
from latelier_samplers.schedules.karras import karras

SAMPLERS = [
    spec.name
    for spec in default_atelier().samplers.specs()
    if spec.distribution == "latelier" and not (spec.traits and spec.traits.is_inversion)
]
REQUEST = {"prompt": "a red cat in a meadow", "seed": 5, "steps": 4}


def levels(picture):
    return np.asarray(picture.image)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_known_pixels_are_exact_and_the_rest_changes_with_the_seed(
    tiny, photo, left_stays, sampler, strength
):
    keywords = {
        **REQUEST,
        "init_image": photo,
        "mask": left_stays,
        "sampler": sampler,
        "strength": strength,
    }
    one, other = (levels(tiny.generate(**{**keywords, "seed": seed})[0]) for seed in (5, 6))
    original = np.asarray(photo)
    assert (one[:, :9] == original[:, :9]).all()
    assert (other[:, :9] == original[:, :9]).all()
    assert (one[:, 10:] != original[:, 10:]).any(-1).mean() > 0.9
    assert (one[:, 10:] != other[:, 10:]).any(-1).mean() > 0.5


def test_the_inverse_mask_keeps_the_inverse_region(tiny, photo, left_stays):
    inverse = left_stays.point(lambda level: 255 - level)
    picture = levels(tiny.generate(**REQUEST, init_image=photo, mask=inverse)[0])
    original = np.asarray(photo)
    assert (picture[:, 9:] == original[:, 9:]).all()
    assert (picture[:, :8] != original[:, :8]).any(-1).mean() > 0.9


def test_known_pixels_are_exact_if_the_run_ends_above_sigma_0(compose_tiny, photo, left_stays):
    pipeline = compose_tiny(process={"kind": "vp"})
    keywords = {**REQUEST, "schedule": "compvis", "sampler": "plms"}
    (picture,) = pipeline.generate(**keywords, init_image=photo, mask=left_stays)
    assert (levels(picture)[:, :9] == np.asarray(photo)[:, :9]).all()


def test_previews_show_the_known_pixels(tiny, photo, left_stays):
    for preview in tiny.stream(**REQUEST, init_image=photo, mask=left_stays):
        assert (np.asarray(preview.image)[:, :9] == np.asarray(photo)[:, :9]).all()


def test_each_row_may_have_its_own_mask(tiny, photo, left_stays):
    right = left_stays.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pictures = tiny.generate(**REQUEST, init_image=photo, mask=[left_stays, right], n=2)
    original = np.asarray(photo)
    for k, picture in enumerate(map(levels, pictures)):
        stays = slice(0, 9) if k < 2 else slice(15, 24)
        assert (picture[:, stays] == original[:, stays]).all()
        assert (picture != original).any()


def test_the_repainted_region_depends_on_the_known_region(tiny, photo, other_photo, left_stays):
    """What stays does not only cover the result: the model sees it, and paints around it."""
    one, other = (
        levels(tiny.generate(**REQUEST, init_image=image, mask=left_stays)[0])[:, 12:]
        for image in (photo, other_photo)
    )
    assert (one != other).any()


F8 = AutoencoderKL(
    AutoencoderKLConfig(
        ch=4, ch_mult=(1, 1, 1, 1), num_res_blocks=1, num_groups=2, attn_type="none"
    )
)


def state_of(mask, *, strength=1.0, rows=1):
    """A picture of 24 x 16 pixels, 3 x 2 cells of 8, and its levels."""
    levels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    cpu = torch.device("cpu")
    with torch.no_grad():
        encoded = encode_init_images([Image.fromarray(levels)], [0] * rows, F8, cpu, torch.float32)
    inpaint_mask = make_inpaint_mask([Image.fromarray(mask)], 8).select([0] * rows, cpu)
    return InpaintState(*encoded, strength, inpaint_mask), levels


def mask_of(height, width):
    """Return a mask that keeps so many pixels at the upper left."""
    mask = np.full((16, 24), 255, np.uint8)
    mask[:height, :width] = 0
    return mask


def test_a_latent_cell_is_known_only_if_all_its_pixels_are():
    known = state_of(mask_of(15, 16))[0].mask.known
    assert known.tolist() == [[[[True, True, False], [False, False, False]]]]
    known = state_of(mask_of(16, 23))[0].mask.known
    assert known.tolist() == [[[[True, True, False]] * 2]]


def test_levels_from_128_are_white():
    mask = np.where(mask_of(8, 8) > 0, 128, 127).astype(np.uint8)
    assert state_of(mask)[0].mask.known.sum() == 1


def test_the_feather_falls_from_1_to_0_within_a_cell():
    feather = state_of(mask_of(16, 9))[0].mask.feather[0, 0]
    assert feather[4].tolist() == pytest.approx(
        [1] * 9 + [k / 8 for k in range(7, 0, -1)] + [0] * 8
    )
    assert (feather == feather[0]).all()


def test_known_levels_are_restored_exactly():
    state, levels = state_of(mask_of(16, 23))
    wild = torch.full((1, 3, 16, 24), 7.0)
    finished = ((state.restore_known(wild) + 1) * 127.5).round()[0].permute(1, 2, 0).numpy()
    assert len(np.unique(levels[:, :23])) > 240
    assert (finished[:, :23] == levels[:, :23]).all()
    assert finished.max() <= 255


def test_a_mask_without_a_whole_known_cell_is_an_error():
    with pytest.raises(InvalidInputError, match=r"covers a whole latent cell \(8x8 px\)"):
        state_of(mask_of(7, 24))


PROCESSES = [VP(), EDM(), RectifiedFlow(), VP(zero_terminal_snr=True, prediction="v")]
IDS = ["vp", "edm", "flow", "zero-snr"]


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
@pytest.mark.parametrize("sampler", [ddim, heun, dpmpp_2m, plms])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_known_latents_follow_their_exact_trajectory_under_every_ode_sampler(
    process, sampler, strength
):
    """x = alpha * latents + sigma * eps at every step, and the model sees just that."""
    state, _ = state_of(mask_of(16, 17), strength=strength)
    eps = torch.randn(state.latents.shape, generator=torch.Generator().manual_seed(0))
    grid = karras(6, process)

    def on_the_way(x, sigma):
        exact = process.noised(state.latents, eps, sigma)
        torch.testing.assert_close(x[..., :2], exact[..., :2], rtol=1e-4, atol=1e-4)

    def model(x, sigma):
        on_the_way(x, sigma)
        return torch.tanh(x)

    x = state.initial(process, eps, grid.sigmas[0])
    on_the_way(x, grid.sigmas[0])
    for step in run_sampler(sampler, state.hold_known(model, process, eps), x, grid):
        on_the_way(step.x, step.sigma)
        assert torch.equal(step.denoised[..., :2], state.latents[..., :2])
        assert not torch.equal(step.denoised[..., 2:], state.latents[..., 2:])


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
def test_known_latents_are_corrected_if_a_sampler_changes_them(process):
    state, _ = state_of(mask_of(16, 17), rows=2)
    eps = torch.randn(state.latents.shape, generator=torch.Generator().manual_seed(0))
    seen = []

    def model(x, sigma):
        seen.append(x)
        return x

    denoise = state.hold_known(model, process, eps)
    x = torch.full_like(eps, 3.0)
    denoise(x, 0.5)
    denoise(x.double(), torch.tensor([0.5, 0.5]))
    noised = process.noised(state.latents, eps, 0.5)
    for each in seen:
        torch.testing.assert_close(each[..., :2].float(), noised[..., :2])
        assert (each[..., 2:] == 3).all()
    assert [each.dtype for each in seen] == [torch.float32, torch.float64]


def test_a_mask_does_not_change_the_noise_of_the_sampler(tiny, photo, left_stays):
    """Nothing is drawn for what stays: a stochastic sampler's own draws are as without a mask."""
    drawn = []
    initial = PerImageNoise.initial

    def record(noise):
        drawn.append(initial(noise))
        return drawn[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PerImageNoise, "initial", record)
        tiny.generate(**REQUEST, init_image=photo, strength=1, sampler="ddpm")
        without = [*drawn]
        drawn.clear()
        tiny.generate(**REQUEST, init_image=photo, mask=left_stays, sampler="ddpm")
    assert len(drawn) == len(without) == 4  # the first, and three steps that do not end at 0
    assert all(torch.equal(a, b) for a, b in zip(drawn, without))
