"""The parts of a pipeline as the runs of an engine see them."""

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from latelier.contracts.components import Control, Denoiser, FirstStage
from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig, FirstStageConfig
from latelier.diffusion.calls import DenoiserCall
from latelier.engine.batcher import Batcher
from latelier.engine.openmp import release_team
from latelier.engine.turns import Turns


class SharedDenoiser:
    """The denoiser of one run: its calls are computed on the device's thread, with other runs'.

    A call under autograd is computed in the thread of its caller, whose graph it belongs to.

    Args:
        run: whose calls these are.
        denoiser: what computes them.
        batcher: where they wait.
        turns: of the runs, between their calls.
        check: raises if the run has to stop.
    """

    def __init__(
        self,
        run: Hashable,
        denoiser: Denoiser,
        batcher: Batcher,
        turns: Turns,
        check: Callable[[], None],
    ) -> None:
        self._run = run
        self._denoiser = denoiser
        self._batcher = batcher
        self._turns = turns
        self._check = check

    @property
    def config(self) -> DenoiserConfig:
        """The denoiser's configuration."""
        return self._denoiser.config

    def __call__(
        self, x: Tensor, t: Tensor, condition: Condition, control: Control | None = None
    ) -> Tensor:
        """Return the prediction, (B, C, h, w)."""
        self._check()
        call = DenoiserCall(x, t, condition, control)
        self._turns.end(self._run)
        if torch.is_grad_enabled():
            return call.run(self._denoiser)
        release_team()
        prediction = self._batcher.call(self._run, call)
        self._turns.begin(self._run)
        return prediction


class SharedFirstStage:
    """The first stage of a run: it encodes and decodes on the device's thread.

    So at most one picture is decoded at a time, whatever the number of runs that end together.
    """

    def __init__(
        self, run: Hashable, first_stage: FirstStage, batcher: Batcher, turns: Turns
    ) -> None:
        self._run = run
        self._turns = turns
        self._first_stage = first_stage
        self._batcher = batcher

    @property
    def config(self) -> FirstStageConfig:
        """The first stage's configuration."""
        return self._first_stage.config

    def encode(self, images: Tensor) -> Tensor:
        """Return latents (B, C, H / f, W / f) of images (B, 3, H, W)."""
        return self._perform(lambda: self._first_stage.encode(images))

    def decode(self, latents: Tensor) -> Tensor:
        """Return images (B, 3, H, W) of latents (B, C, H / f, W / f)."""
        return self._perform(lambda: self._first_stage.decode(latents))

    def _perform(self, task: Callable[[], Tensor]) -> Tensor:
        if torch.is_grad_enabled():
            return task()
        self._turns.end(self._run)
        result: Tensor = self._batcher.perform(task)
        return result
