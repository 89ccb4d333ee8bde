"""The conformance checks of samplers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice, pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.options import options_model
from latelier.contracts.sampling import Denoise, Noise, Step, draws_noise, run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.noise import PerImageNoise
from latelier.kernel.spec import SamplerTraits
from latelier.testing.component import FunctionContract
from latelier.testing.support.problems import (
    Gaussian,
    Mixture,
    Straight,
    even,
    logarithmic,
    observed_orders,
)
from latelier.testing.support.randomness import DrawRecorder, GlobalState

SHAPE = (4, 8, 8)
RTOL, ATOL = 1e-5, 1e-6
SIGMAS = {
    "ve": SigmaGrid((80.0, 24.4, 5.84, 0.966, 0.0853, 0.002, 0.0), "ve"),
    "flow": SigmaGrid((0.99, 0.9, 0.75, 0.55, 0.35, 0.15, 0.0), "flow"),
    "pure_noise": SigmaGrid((1.0, 0.9, 0.75, 0.55, 0.35, 0.15, 0.0), "flow"),
    "not_to_zero": SigmaGrid((157.0, 21.9, 6.2, 2.2, 0.79, 0.24, 0.0413), "ve"),
}
"""Runs in both frames; from pure noise, where models of zero terminal SNR start; and to a sigma
above 0, where the runs of Rombach et al. (arXiv:2112.10752) end."""

ISOLATION = "keep the state of a run in local variables of the generator"

every_run = pytest.mark.parametrize("sigmas", SIGMAS.values(), ids=SIGMAS)
every_frame = pytest.mark.parametrize("frame", ["ve", "flow"])


class SamplerContract(FunctionContract):
    """The contract of samplers. A plugin's own test file:

        from latelier.testing import SamplerContract

        class TestMidpoint(SamplerContract):
            component = "latelier-midpoint/midpoint"

    It checks what the sampler declares where it is registered (see `SamplerTraits`): its order, the
    calls of the model in a step, whether it draws noise.

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        options: options for the tests, other than the defaults.
    """  # noqa: D415

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

    # -------------------------------------------------------------------------- step after step

    @every_run
    def test_one_step_for_each_interval(self, sigmas: SigmaGrid) -> None:
        """Progress bars, previews and cancelling rely on it: index, sigma at its end, x there."""
        steps = list(self.run(pixelwise, sigmas))
        assert all(type(step) is Step for step in steps), "yield latelier.Step after each step"
        expected = sigmas[::-1] if self.traits.is_inversion else sigmas[:]
        assert [step.index for step in steps] == list(range(sigmas.steps)), (
            "yield one Step for each pair of sigmas, with its index from 0"
        )
        assert [step.sigma for step in steps] == list(expected[1:]), (
            "the sigma of a Step is the one where its x is: where the step ends, not where it began"
        )
        assert all(step.x.shape == step.denoised.shape == (1, *SHAPE) for step in steps)

    @every_run
    def test_the_model_is_never_called_at_sigma_0(self, sigmas: SigmaGrid) -> None:
        """There x is x0 already; the slope would be a division by 0."""
        denoise = CountedDenoise()
        list(self.run(denoise, sigmas))
        assert all(_least(sigma) > 0 for sigma in denoise.sigmas), (
            "the model is called at sigma 0: a step to sigma 0 ends at the estimate of x0"
        )

    @every_run
    def test_it_makes_the_calls_that_it_declares(self, sigmas: SigmaGrid) -> None:
        """Hosts predict the cost of a run from `nfe_per_step`, but for special steps.

        The first step may take one more, to start; it and a step to sigma 0 may take fewer.
        """
        calls = _calls_of_steps(self.run, sigmas)
        declared = self.traits.nfe_per_step
        if declared is None:
            return
        middle = calls[1:-1] if not self.traits.is_inversion else calls[2:-1]
        assert set(middle) <= {declared}, (
            f"a step calls the model {max(middle)} times, and `nfe_per_step={declared}` is declared"
        )
        assert 1 <= calls[0] <= declared + 1, f"the first step calls the model {calls[0]} times"
        most = declared if not self.traits.is_inversion else declared + 1
        assert 1 <= calls[-1] <= most, f"the last step calls the model {calls[-1]} times"

    @every_run
    def test_closing_it_early_stops_the_work(self, sigmas: SigmaGrid) -> None:
        """A generator works when the next step is requested; cancelling closes it."""
        denoise, complete = CountedDenoise(), CountedDenoise()
        list(self.run(complete, sigmas))
        steps: Any = self.run(denoise, sigmas)
        assert not denoise.sigmas, "the model is called before the first step is requested"
        first = [step.x.clone() for step in islice(steps, 2)]
        calls = len(denoise.sigmas)
        steps.close()
        assert len(denoise.sigmas) == calls < len(complete.sigmas), (
            "closed after two steps, it has called the model for more: yield after each step"
        )
        for x, again in zip(first, self.run(pixelwise, sigmas), strict=False):
            assert torch.equal(x, again.x), "a second run makes other steps than the first"

    @every_run
    def test_no_tensor_is_changed_after_it_is_passed_on(self, sigmas: SigmaGrid) -> None:
        """Tensors that were passed in or yielded belong to others: previews read them later."""
        passed: list[tuple[Tensor, Tensor]] = []

        def denoise(x: Tensor, _: float | Tensor, /) -> Tensor:
            estimate = torch.tanh(x)
            passed.extend([(x, x.clone()), (estimate, estimate.clone())])
            return estimate

        noise = PerImageNoise([0], SHAPE)
        x = noise.initial()
        passed.append((x, x.clone()))
        for step in run_sampler(self.sampler, denoise, x, sigmas, noise):
            passed.append((step.x, step.x.clone()))
        assert all(torch.equal(tensor, copy) for tensor, copy in passed), (
            "a tensor is changed in place after it was passed on or yielded: make a new one"
        )

    # ------------------------------------------------------------------------------ the numbers

    @every_run
    def test_outputs_are_finite(self, sigmas: SigmaGrid) -> None:
        """From pure noise and to sigma 0 too, where log(alpha / sigma) is infinite."""
        for step in self.run(pixelwise, sigmas):
            assert step.x.isfinite().all(), f"x is not finite after step {step.index}"
            assert step.denoised.isfinite().all(), f"x0 is not finite after step {step.index}"

    @every_frame
    @pytest.mark.parametrize("problem", [Gaussian, Mixture])
    def test_its_order_is_the_declared_one(self, problem: Any, frame: Any) -> None:
        """Twice the steps divide the error by 2^order, on ODEs with known solutions.

        On the Gaussian, a linear ODE, the leading errors of some methods cancel, so there the order
        may be higher than declared.
        """
        declared = self._observable_order()
        if declared is None:
            return
        *_, order = observed_orders(
            self.sampler, problem(frame), logarithmic, is_inversion=self.traits.is_inversion
        )
        meets = order > declared - 0.1 if problem is Gaussian else abs(order - declared) < 0.1
        assert meets, (
            f"it is of order {order:.2f} on a {problem.__name__} in the {frame} frame, and "
            f"`order={declared}` is declared"
        )

    @every_frame
    def test_its_main_order_is_the_declared_one(self, frame: Any) -> None:
        """Where the first steps make no error, its main step has at least the declared order."""
        order = self._observable_order()
        if order is None:
            return
        declared = self.traits.asymptotic_order or order
        is_inversion = self.traits.is_inversion
        *_, observed = observed_orders(
            self.sampler, Straight(frame), even, is_inversion=is_inversion
        )
        assert observed > declared - 0.15, (
            f"its main step is of order {observed:.2f} in the {frame} frame, not {declared}"
        )

    @every_run
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
    def test_it_keeps_the_precision_of_x(self, sigmas: SigmaGrid, dtype: torch.dtype) -> None:
        """The caller passes float32 or wider; small steps are lost in less."""
        dtypes = set()

        def denoise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
            dtypes.add(x.dtype)
            return x / (1 + frames.per_image(sigma, x))

        noise = PerImageNoise([0], SHAPE)
        steps = run_sampler(self.sampler, denoise, noise.initial().to(dtype), sigmas, noise)
        dtypes |= {step.x.dtype for step in steps}
        assert dtypes == {dtype}, f"x arrives in {dtype} and becomes {dtypes}: keep its precision"

    # ----------------------------------------------------------------------- images and threads

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

    # -------------------------------------------------------------------------------- the noise

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

    # ------------------------------------------------------------------------------ its options

    def test_its_options_have_defaults(self) -> None:
        """A sampler can be chosen by its name alone."""
        fields = options_model(self.function).model_fields
        required = [name for name, field in fields.items() if field.is_required()]
        missing = [name for name in required if name not in self.spec.defaults]
        assert not missing, f"the options {', '.join(missing)} have no default"

    def _observable_order(self) -> int | None:
        """Return the declared order, if it shows on an ODE with the test's sigmas."""
        traits = self.traits
        return None if traits.stochastic or traits.nfe_per_step is None else traits.order


class CountedDenoise:
    """`pixelwise`, which records the sigma of each call."""

    def __init__(self) -> None:
        self.sigmas: list[float | Tensor] = []

    def __call__(self, x: Tensor, sigma: float | Tensor, /) -> Tensor:
        """Return x0."""
        self.sigmas.append(sigma)
        return pixelwise(x, sigma)


def pixelwise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
    """Return an estimate of x0 that depends on each pixel alone."""
    return torch.tanh(4 * x / (1 + frames.per_image(sigma, x)))


def _calls_of_steps(
    run: Callable[[Denoise, SigmaGrid], Iterable[Step]], sigmas: SigmaGrid
) -> list[int]:
    denoise = CountedDenoise()
    totals = [0, *(len(denoise.sigmas) for _ in run(denoise, sigmas))]
    return [after - before for before, after in pairwise(totals)]


def _least(sigma: float | Tensor) -> float:
    return float(sigma.min()) if isinstance(sigma, Tensor) else sigma
