"""How the kit runs the sampler of a test."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from latelier.contracts.sampling import Denoise, Noise, Step, run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.noise import PerImageNoise
from latelier.kernel.spec import SamplerTraits
from latelier.testing.component import FunctionContract

SHAPE = (4, 8, 8)


class SamplerBase(FunctionContract):
    """Base of the checks of samplers; see `SamplerContract` for the attributes."""

    kind = "sampler"

    @property
    def sampler(self) -> Any:
        """The sampler with its options."""
        return partial(self.function, **self.all_options)

    @property
    def traits(self) -> SamplerTraits:
        """The traits that it is registered with."""
        return self.spec.traits or SamplerTraits()  # type: ignore[call-arg]

    def run(
        self,
        denoise: Denoise,
        sigmas: SigmaGrid,
        seeds: Sequence[int] = (0,),
        noise: Noise | None = None,
    ) -> Iterator[Step]:
        """Return the steps of a run of images with these seeds."""
        per_image = PerImageNoise(seeds, SHAPE)
        x = per_image.initial()
        return run_sampler(self.sampler, denoise, x, sigmas, noise or per_image)

    def run_to_end(self, denoise: Denoise, sigmas: SigmaGrid, seeds: Sequence[int]) -> Tensor:
        """Return the last x of a run."""
        *_, step = self.run(denoise, sigmas, seeds)
        return step.x
