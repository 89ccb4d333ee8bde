"""Checks that images and runs do not affect each other."""

from concurrent.futures import ThreadPoolExecutor

import torch

from latelier.contracts.sigma_grid import SigmaGrid
from latelier.testing.sampler_checks.base import SamplerBase
from latelier.testing.sampler_checks.models import pixelwise
from latelier.testing.sampler_checks.runs import every_run

RTOL, ATOL = 1e-5, 1e-6
ISOLATION = "keep the state of a run in local variables of the generator"


class IndependenceChecks(SamplerBase):
    """An image depends on its own noise alone, and a run on no other run."""

    @every_run
    def test_an_image_is_the_same_alone_and_in_a_batch(self, sigmas: SigmaGrid) -> None:
        """Image k of a run can be made again alone."""
        seeds = (7, 8, 9)
        together = list(self.run(pixelwise, sigmas, seeds))
        for k, seed in enumerate(seeds):
            alone = list(self.run(pixelwise, sigmas, (seed,)))
            for step, one in zip(together, alone, strict=True):
                assert torch.allclose(step.x[k : k + 1], one.x, RTOL, ATOL), (
                    f"image {k} differs in a batch after step {step.index}: take norms, errors "
                    "and means of each image alone"
                )

    @every_run
    def test_an_image_differs_from_its_neighbours(self, sigmas: SigmaGrid) -> None:
        """Each image has its own noise."""
        x = self.run_to_end(pixelwise, sigmas, (7, 8))
        assert (x[0] - x[1]).abs().max() > 0.1, "two images of one batch come out alike"

    @every_run
    def test_runs_do_not_disturb_each_other(self, sigmas: SigmaGrid) -> None:
        """Runs in turns and in threads make the bits of each alone."""
        alone = [self.run_to_end(pixelwise, sigmas, (seed,)) for seed in range(8)]
        *_, last = zip(*(self.run(pixelwise, sigmas, (seed,)) for seed in (0, 1)), strict=True)
        for step, expected in zip(last, alone, strict=False):
            assert torch.equal(step.x, expected), f"runs in turns disturb each other: {ISOLATION}"
        with ThreadPoolExecutor(8) as pool:
            threaded = list(
                pool.map(lambda seed: self.run_to_end(pixelwise, sigmas, (seed,)), range(8))
            )
        for x, expected in zip(threaded, alone, strict=True):
            assert torch.equal(x, expected), f"runs in threads disturb each other: {ISOLATION}"
