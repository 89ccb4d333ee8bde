"""The conformance checks of schedules."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import pytest

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.sampling import depends_on_geometry, run_schedule
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.process import Process
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier.testing.component import FunctionContract


def _processes() -> dict[str, Process]:
    return {
        "paper": VP.model_validate({}),
        "stable diffusion": VP.model_validate({"beta_start": 0.00085, "beta_end": 0.012}),
        "cosine": VP.model_validate({"beta_schedule": "cosine"}),
        "zero snr": VP.model_validate({"zero_terminal_snr": True, "prediction": "v"}),
        "edm": EDM.model_validate({}),
        "flow": RectifiedFlow.model_validate({}),
    }


class ScheduleContract(FunctionContract):
    """The contract of schedules. A plugin's own test file:

        from latelier.testing import ScheduleContract

        class TestQuadratic(ScheduleContract):
            component = "latelier-quadratic/quadratic"

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        options: options for the tests; at least those that have no default.
        steps: numbers of steps to test.
        geometry: of the pictures, for schedules that depend on it.
        processes: noise processes to test. The schedule makes sigmas for each, or refuses it in one
            clear error; it has to make them for at least one.
    """  # noqa: D415

    kind = "schedule"
    steps: ClassVar[Sequence[int]] = (1, 2, 5, 10, 50)
    geometry: ClassVar[PictureGeometry] = PictureGeometry((512, 768), (64, 96))
    processes: ClassVar[Mapping[str, Process]] = _processes()

    def grid(
        self, steps: int, process: Process, geometry: PictureGeometry | None = None
    ) -> SigmaGrid:
        """Return the sigmas of a run, with the options and by default the geometry of the tests."""
        place = steps, process, geometry or self.geometry
        return run_schedule(self.function, *place, **self.all_options)

    def grids(
        self, geometry: PictureGeometry | None = None
    ) -> Iterator[tuple[str, int, Process, SigmaGrid]]:
        """Yield the sigmas for every process that it supports and every number of steps."""
        for name, process in self.processes.items():
            for steps in self.steps:
                try:
                    grid = self.grid(steps, process, geometry)
                except Exception:  # noqa: S112  # another check reports it
                    continue
                yield f"{steps} steps of '{name}'", steps, process, grid

    def test_it_fits_a_process(self) -> None:
        """It supports at least one of the processes."""
        assert any(True for _ in self.grids()), "it makes sigmas for no process at all"

    def test_a_process_that_does_not_fit_is_one_clear_error(self) -> None:
        """The error is an InvalidInputError of one line, which a host can show."""
        for name, process in self.processes.items():
            for steps in self.steps:
                try:
                    self.grid(steps, process)
                except InvalidInputError as error:
                    text = str(error)
                    one_line = bool(text) and "\n" not in text
                except Exception as error:
                    pytest.fail(
                        f"{steps} steps of '{name}' raise {type(error).__name__} ({error}): raise "
                        "InvalidInputError, and say what it supports"
                    )
                else:
                    continue
                assert one_line, f"the error for '{name}' is not one line: {text!r}"

    def test_it_makes_the_requested_steps(self) -> None:
        """A run of n steps has n + 1 sigmas."""
        for what, steps, _, grid in self.grids():
            assert len(grid.sigmas) == steps + 1, f"{what}: {len(grid.sigmas)} sigmas"
            assert grid.steps == steps, f"{what}: the grid says {grid.steps} steps"

    def test_sigmas_decrease(self) -> None:
        """Strictly, since a step between equal sigmas divides by 0."""
        for what, _, _, grid in self.grids():
            falls = all(sigma > to for sigma, to in pairwise(grid.sigmas))
            assert falls, f"{what}: the sigmas do not decrease strictly"

    def test_sigmas_are_finite_floats(self) -> None:
        """Reading a float from a tensor costs more than a step."""
        for what, _, _, grid in self.grids():
            assert all(type(sigma) is float for sigma in grid.sigmas), f"{what}: not floats"
            assert all(math.isfinite(sigma) for sigma in grid.sigmas), f"{what}: not finite"
            assert min(grid.sigmas) >= 0, f"{what}: the last sigma is below 0"

    def test_sigmas_lie_where_the_model_was_trained(self) -> None:
        """All but the last lie between the sigma_min and the sigma_max of the process."""
        for what, _, process, grid in self.grids():
            highest, lowest = grid.sigmas[0], grid.sigmas[-2]
            assert highest <= process.sigma_max * (1 + 1e-9), f"{what}: begins at {highest}"
            assert lowest >= process.sigma_min * (1 - 1e-9), f"{what}: has {lowest} before the last"

    def test_its_frame_is_that_of_the_process(self) -> None:
        """A sigma has another meaning in another frame."""
        for what, _, process, grid in self.grids():
            assert grid.frame == process.frame, f"{what}: the frame is '{grid.frame}'"

    def test_the_same_arguments_give_the_same_grid(self) -> None:
        """A replay uses the sigmas of the original run."""
        first = [grid for *_, grid in self.grids()]
        assert [grid for *_, grid in self.grids()] == first

    def test_it_depends_on_the_size_if_it_asks_for_it(self) -> None:
        """A schedule with the parameter `geometry` makes other sigmas for other sizes."""
        if not depends_on_geometry(self.function):
            return
        sizes = [(side, side) for side in (16, 64, 256)]
        grids = [
            [grid for *_, grid in self.grids(PictureGeometry((8 * h, 8 * w), (h, w)))]
            for h, w in sizes
        ]
        assert any(one != other for one, other in pairwise(grids)), (
            "it makes the same sigmas for latents of 16, 64 and 256: leave out `geometry`"
        )

    @pytest.mark.parametrize("steps", [0, -1])
    def test_fewer_steps_than_one_are_refused(self, steps: int) -> None:
        """The error is an InvalidInputError."""
        for process in self.processes.values():
            with pytest.raises(InvalidInputError):
                self.grid(steps, process)
