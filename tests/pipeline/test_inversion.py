"""From a picture to its noise and back, with what a pipeline gives."""

import torch


def test_inversion_and_sampling_reproduce_a_picture(tiny):
    images = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    samplers, grid = tiny.atelier.samplers, tiny.atelier.schedules.get("karras")(10, tiny.process)
    denoise = tiny.denoise_fn(prompt=["a cat", "a dog"], size=(24, 16), guidance=1)
    errors = []
    with torch.no_grad():
        latents = tiny.first_stage.encode(images)
        for refinements in (0, 8):
            inversion = samplers.get("ddim_inversion")
            *_, noise = inversion(denoise, latents, grid, refinements=refinements)
            *_, back = samplers.get("ddim")(denoise, noise.x, grid, noise=None)
            assert (noise.sigma, back.sigma) == (grid.sigmas[0], 0)
            errors.append((back.x - latents).norm() / latents.norm())
    assert errors[0] < 0.5
    assert errors[1] < 0.01
