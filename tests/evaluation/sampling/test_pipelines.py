"""A pipeline as a problem: its latents, its seeds, its guidance."""

import torch

from latelier.diffusion.noise import PerImageNoise
from latelier.evaluation.sampling.comparison import make_schedule
from latelier.evaluation.sampling.pipelines import make_pipeline_problem
from latelier.pipeline.request import NamedOptions
from latelier_samplers.heun import heun

ASKED = {"prompt": ["a red cat in a meadow"], "guidance": 5.0}


def test_solving_ends_at_the_latents_of_the_pipeline(tiny, built_ins):
    problem = make_pipeline_problem(tiny, "tiny", [7, 8], **ASKED)
    grid = make_schedule(NamedOptions(name="karras"), problem, built_ins)(3)
    ends = problem.solve(heun, grid)
    with torch.no_grad():
        images = tiny.first_stage.decode(ends)
    made = tiny.generate(**ASKED, n=2, seed=7, steps=3, sampler="heun", schedule="karras")
    for picture, image in zip(made, images):
        pixels = ((image.clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0)
        shown = torch.tensor(list(picture.image.get_flattened_data())).view(pixels.shape)
        assert (pixels - shown).abs().max() <= 1


def test_inputs_are_repeated_over_the_seeds(tiny):
    prompts = ["a red cat in a meadow", "a blue dog on the sea"]
    one = make_pipeline_problem(tiny, "tiny", [1, 2, 3, 4], prompt=prompts)
    x = PerImageNoise([1, 2, 3, 4], one.shape).initial()
    with torch.no_grad():
        together = one.denoise(x, 0.5)
        alone = make_pipeline_problem(tiny, "tiny", [3], prompt=prompts[1:]).denoise(x[2:3], 0.5)
    torch.testing.assert_close(together[2:3], alone, rtol=1e-4, atol=1e-5)


def test_the_problem_has_the_requested_size(tiny):
    assert make_pipeline_problem(tiny, "tiny", [0], size=(32, 16)).shape == (4, 8, 16)
