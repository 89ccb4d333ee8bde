"""Checks of the noise that a sampler draws."""

from torch import Tensor

from latelier.contracts.sampling import draws_noise, run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.noise import PerImageNoise
from latelier.testing.sampler_checks.base import SHAPE, SamplerBase
from latelier.testing.sampler_checks.models import pixelwise
from latelier.testing.sampler_checks.runs import every_run
from latelier.testing.support.randomness import DrawRecorder, GlobalState


class NoiseChecks(SamplerBase):
    """A sampler draws noise if it declares so, and all of it from the generators of the images."""

    @every_run
    def test_it_draws_noise_if_it_declares_so(self, sigmas: SigmaGrid) -> None:
        """`stochastic` is listed and recorded without importing the sampler, so it must be true."""
        per_image = PerImageNoise([0], SHAPE)
        draws = []

        def noise(sigma_from: float, sigma_to: float, /) -> Tensor:
            draws.append((sigma_from, sigma_to))
            return per_image(sigma_from, sigma_to)

        stochastic = self.traits.stochastic
        assert draws_noise(self.function) or not stochastic, (
            "`stochastic=True` is declared, and the sampler has no keyword-only parameter `noise`"
        )
        list(self.run(pixelwise, sigmas, noise=noise))
        assert bool(draws) == stochastic, (
            f"`stochastic={stochastic}` is declared, and noise is drawn {len(draws)} times"
        )

    @every_run
    def test_it_draws_no_other_random_numbers(self, sigmas: SigmaGrid) -> None:
        """All noise comes from `noise`, which draws from the generator of each image."""
        per_image = PerImageNoise([0], SHAPE)
        x, draws = per_image.initial(), iter([per_image.initial() for _ in range(64)])

        def noise(_from: float, _to: float, /) -> Tensor:
            return next(draws)

        state = GlobalState()
        with DrawRecorder() as recorder:
            for _ in run_sampler(self.sampler, pixelwise, x, sigmas, noise):
                pass
        assert not recorder.operators, (
            f"it draws by {set(recorder.operators)}: draw by noise(sigma_from, sigma_to)"
        )
        assert not state.changed(), f"it draws from the global state of {state.changed()}"
