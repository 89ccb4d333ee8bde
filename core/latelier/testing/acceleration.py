"""The conformance checks of accelerations."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.contracts.errors import LatelierError
from latelier.contracts.options import read_options
from latelier.contracts.sampling import Estimate
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.predict import Predictor
from latelier.diffusion.processes.kinds import process_from
from latelier.diffusion.processes.process import Process
from latelier.testing.component import FunctionContract
from latelier.testing.support.comparison import check_one_clear_error, has_same_bits, is_close
from latelier.testing.support.randomness import DrawRecorder, GlobalState
from latelier.testing.support.small_unet import (
    SHAPE,
    WithoutWrappers,
    make_conditions,
    make_predictor,
)

ROWS = 3
DIVIDED_ROWS = 4
"""Rows of a call where calls are divided: neither those of a condition nor of several."""

RUNS = {
    "ve": (process_from({"kind": "edm"}), SigmaGrid((3.0, 2.0, 1.0, 0.5, 0.0), "ve")),
    "flow": (
        process_from({"kind": "rectified_flow"}),
        SigmaGrid((0.9, 0.7, 0.5, 0.3, 0.0), "flow"),
    ),
}
every_run = pytest.mark.parametrize(("process", "sigmas"), RUNS.values(), ids=RUNS)


class AccelerationContract(FunctionContract):
    """The contract of accelerations. A plugin's own test file:

        from latelier.testing import AccelerationContract

        class TestSkips(AccelerationContract):
            component = "latelier-skips/skips"
            exact = {"interval": 1}

    The model that it accelerates is a small UNet, whose self-attentions have 64 and 16 tokens.

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        options: options for the tests, with which it is not exact.
        exact: the options with which it changes nothing; None where there are none.
    """  # noqa: D415

    kind = "acceleration"
    exact: ClassVar[dict[str, Any] | None] = None

    def accelerate(self, predict: Any, sigmas: SigmaGrid, **changes: Any) -> Estimate:
        """Return the accelerated estimates of a new run."""
        options = read_options(self.function, {**self.fixed_options, **changes}, self.component)
        estimate: Estimate = self.function(predict, sigmas, **options)
        return estimate

    def walk(
        self,
        estimate: Estimate,
        sigmas: SigmaGrid,
        conditions: list[Condition],
        x: Tensor,
        *,
        per_image: bool = False,
    ) -> Iterator[list[Tensor]]:
        """Yield the estimates at every sigma above 0, going straight from one to the next.

        per_image: whether sigma is passed as (B,), with equal numbers.
        """
        for sigma, sigma_next in pairwise(sigmas):
            each = torch.full((len(x),), sigma, dtype=torch.float64)
            with torch.no_grad():
                estimates = estimate(x, each if per_image else sigma, conditions)
            yield estimates
            x = torch.lerp(estimates[0], x, sigma_next / sigma)

    def run(self, process: Process, sigmas: SigmaGrid, x: Tensor) -> list[Tensor]:
        """Return the estimates of a new run under two conditions, (2, B, C, h, w) at each sigma."""
        estimate = self.accelerate(make_predictor(process), sigmas)
        return _stack(self.walk(estimate, sigmas, make_conditions(len(x)), x))

    @every_run
    def test_its_estimates_are_like_x(self, process: Process, sigmas: SigmaGrid) -> None:
        """There is one for each condition, with the shape and the precision of x."""
        for dtype in (torch.float32, torch.float64):
            x = _x().to(dtype)
            estimate = self.accelerate(make_predictor(process), sigmas)
            for estimates in self.walk(estimate, sigmas, make_conditions(ROWS), x):
                assert len(estimates) == 2, f"it makes {len(estimates)} estimates of 2 conditions"
                for each in estimates:
                    assert each.shape == x.shape, f"its shape is {tuple(each.shape)}"
                    assert each.dtype == dtype, f"x is {dtype}, the estimate {each.dtype}"

    @every_run
    def test_outputs_are_finite(self, process: Process, sigmas: SigmaGrid) -> None:
        """At every sigma."""
        for estimates in self.run(process, sigmas, _x()):
            assert estimates.isfinite().all(), "its estimate has numbers that are not finite"

    @every_run
    def test_exact_it_has_the_bits_of_the_model(self, process: Process, sigmas: SigmaGrid) -> None:
        """With the options `exact`."""
        if self.exact is None:
            return
        model, conditions = make_predictor(process), make_conditions(ROWS)
        expected = self.walk(model, sigmas, conditions, _x())
        estimate = self.accelerate(model, sigmas, **self.exact)
        found = self.walk(estimate, sigmas, conditions, _x())
        for one, other in zip(_stack(found), _stack(expected), strict=True):
            assert has_same_bits(one, other), (
                f"with {self.exact} it is not exact: return `predict` itself"
            )

    @every_run
    def test_it_approximates(self, process: Process, sigmas: SigmaGrid) -> None:
        """With the test's options it differs from the exact estimates at some sigma."""
        expected = self.walk(make_predictor(process), sigmas, make_conditions(ROWS), _x())
        found = self.run(process, sigmas, _x())
        differs = [
            not torch.equal(one, other) for one, other in zip(found, _stack(expected), strict=True)
        ]
        assert any(differs), "it changes nothing: give `options` with which it does"

    @every_run
    def test_each_image_as_if_alone(self, process: Process, sigmas: SigmaGrid) -> None:
        """Whatever is in its batch."""
        x = _x() * torch.tensor([1.0, 3.0, 9.0]).view(-1, 1, 1, 1)
        together = self.run(process, sigmas, x)
        for k in range(ROWS):
            alone = self.run(process, sigmas, x[k : k + 1])
            for one, other in zip(together, alone, strict=True):
                assert is_close(one[:, k], other[:, 0]), f"image {k} differs in a batch"

    @every_run
    def test_each_condition_as_if_alone(self, process: Process, sigmas: SigmaGrid) -> None:
        """A guidance rule may estimate under one condition and then, at the same sigma, another."""
        model, (one, other) = make_predictor(process), make_conditions(ROWS)
        alone = [
            _stack(self.walk(self.accelerate(model, sigmas), sigmas, [each], _x()))
            for each in (one, other)
        ]
        shared = self.accelerate(model, sigmas)
        turns = [self.walk(shared, sigmas, [each], _x()) for each in (one, other)]
        for step, both in enumerate(zip(*turns, strict=True)):
            for estimates, expected in zip(both, alone, strict=True):
                assert is_close(torch.stack(estimates), expected[step]), (
                    "an estimate has what was computed under another condition: keep what a run "
                    "remembers by the conditions of a call, as `StepCache` does"
                )

    @every_run
    def test_a_sigma_for_each_image(self, process: Process, sigmas: SigmaGrid) -> None:
        """Samplers may pass sigma as (B,): equal numbers are as one."""
        expected = self.run(process, sigmas, _x())
        estimate = self.accelerate(make_predictor(process), sigmas)
        found = self.walk(estimate, sigmas, make_conditions(ROWS), _x(), per_image=True)
        for one, other in zip(_stack(found), expected, strict=True):
            assert is_close(one, other), (
                "sigma passed for each image makes another estimate than as one number"
            )

    @every_run
    def test_runs_do_not_disturb_each_other(self, process: Process, sigmas: SigmaGrid) -> None:
        """It is called once a run; what it remembers of the run is in its closure."""
        model, conditions = make_predictor(process), make_conditions(ROWS)
        xs = [_x(), -2 * _x()]
        alone = [self.run(process, sigmas, x) for x in xs]
        turns = [self.walk(self.accelerate(model, sigmas), sigmas, conditions, x) for x in xs]
        for step, both in enumerate(zip(*turns, strict=True)):
            for estimates, expected in zip(both, alone, strict=True):
                assert torch.equal(torch.stack(estimates), expected[step]), (
                    "two runs in turns disturb each other: keep what a run remembers in local "
                    "variables of the acceleration, not in the module"
                )

    @every_run
    def test_a_run_may_go_back(self, process: Process, sigmas: SigmaGrid) -> None:
        """Samplers that restart return to a higher sigma, with more noise in x."""
        conditions, x = make_conditions(ROWS), -2 * _x()
        expected = self.run(process, sigmas, x)
        estimate = self.accelerate(make_predictor(process), sigmas)
        before = self.walk(estimate, sigmas, conditions, _x())
        for _ in range(sigmas.steps - 1):
            next(before)
        again = _stack(self.walk(estimate, sigmas, conditions, x))
        for one, other in zip(again, expected, strict=True):
            assert is_close(one, other), (
                "back at a higher sigma it uses what it remembers of a lower one"
            )

    @every_run
    def test_controls_reach_the_model(self, process: Process, sigmas: SigmaGrid) -> None:
        """It adds to the control of a guidance rule, and replaces nothing."""
        model, conditions = make_predictor(process), make_conditions(ROWS)
        control = Control(perturbed_attention=frozenset({"middle_block.1"}))
        with torch.no_grad():
            plain, perturbed = (
                self.accelerate(model, sigmas)(_x(), sigmas[0], conditions, each)
                for each in (None, control)
            )
        assert not is_close(plain[0], perturbed[0]), (
            "the control of a call is lost: add to it by dataclasses.replace"
        )

    @every_run
    def test_calls_may_be_divided(self, process: Process, sigmas: SigmaGrid) -> None:
        """An engine calls the denoiser with a fixed number of rows, or fewer where memory lacks."""
        expected = self.run(process, sigmas, _x())
        model = make_predictor(process, rows=DIVIDED_ROWS)
        found = self.walk(self.accelerate(model, sigmas), sigmas, make_conditions(ROWS), _x())
        for one, other in zip(_stack(found), expected, strict=True):
            assert is_close(one, other), (
                "a call of the denoiser that is divided makes another estimate: `select` of a "
                "wrapper returns that of some rows"
            )

    @every_run
    def test_no_tensor_of_others_is_changed(self, process: Process, sigmas: SigmaGrid) -> None:
        """Neither x nor the model's estimates, which others may read."""
        passed: list[tuple[Tensor, Tensor]] = []

        class Watched(Predictor):
            def __call__(self, *args: Any) -> list[Tensor]:
                estimates = super().__call__(*args)
                passed.extend((each, each.clone()) for each in (args[0], *estimates))
                return estimates

        model = make_predictor(process)
        watched = Watched(model.denoiser, process, torch.float64)
        estimate = self.accelerate(watched, sigmas)
        list(self.walk(estimate, sigmas, make_conditions(ROWS), _x()))
        assert all(torch.equal(tensor, copy) for tensor, copy in passed), (
            "x or an estimate of the model is changed in place: make a new tensor"
        )

    @every_run
    def test_it_draws_no_random_numbers(self, process: Process, sigmas: SigmaGrid) -> None:
        """A run's random numbers are drawn by the sampler, from the generator of each image."""
        model, conditions, x = make_predictor(process), make_conditions(ROWS), _x()
        with DrawRecorder() as exact:  # torch counts attention, which may have dropout
            list(self.walk(model, sigmas, conditions, x))
        state = GlobalState()
        with DrawRecorder() as recorder:
            list(self.walk(self.accelerate(model, sigmas), sigmas, conditions, x))
        drawn = {*recorder.operators} - {*exact.operators}
        assert not drawn, f"it draws by {drawn}"
        assert not state.changed(), f"it changes the global random state of {state.changed()}"

    def test_a_model_that_it_cannot_accelerate_is_one_clear_error(self) -> None:
        """What it needs of a denoiser is in the `supports` of its configuration."""
        process, sigmas = RUNS["ve"]
        model = Predictor(WithoutWrappers(), process, torch.float64)

        def run() -> None:
            estimate = self.accelerate(model, sigmas)
            list(self.walk(estimate, sigmas, [Condition()], _x()))
            raise LatelierError("it needs no support")

        check_one_clear_error(
            run,
            "a denoiser that supports no wrappers",
            "raise CompatibilityError where predict.config.supports lacks what it needs",
        )


def _stack(walk: Iterator[list[Tensor]]) -> list[Tensor]:
    return [torch.stack(estimates) for estimates in walk]


def _x() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(ROWS, *SHAPE, generator=generator, dtype=torch.float64)
