"""The networks of a pipeline as a run of an engine sees them."""

import threading
from collections.abc import Callable, Hashable
from typing import cast

from torch import Tensor

from latelier.contracts.components import ConditionalFirstStage, Control, FirstStage
from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig, FirstStageConfig
from latelier.diffusion.calls import DenoiserCall
from latelier.engine.shared_model import SharedModel


class SharedDenoiser:
    """The denoiser of one run.

    Args:
        run: whose calls these are.
        model: computes them.
        check: raises if the run has to stop.
    """

    def __init__(self, run: Hashable, model: SharedModel, check: Callable[[], None]) -> None:
        self._run = run
        self._model = model
        self._check = check

    @property
    def config(self) -> DenoiserConfig:
        """The denoiser's configuration."""
        return self._model.denoiser.config

    def __call__(
        self, x: Tensor, t: Tensor, condition: Condition, control: Control | None = None
    ) -> Tensor:
        """Return the prediction, (B, C, h, w)."""
        self._check()
        return self._model.predict(self._run, DenoiserCall(x, t, condition, control))


class SharedFirstStage:
    """The first stage of one run, made in its thread.

    What other threads ask of it, such as a preview, is work of no run.

    Args:
        run: whose pictures these are.
        first_stage: the pipeline's, or one that works in tiles.
        model: calls it.
    """

    def __init__(self, run: Hashable, first_stage: FirstStage, model: SharedModel) -> None:
        self._run = run
        self._thread = threading.current_thread()
        self._first_stage = first_stage
        self._model = model

    @property
    def config(self) -> FirstStageConfig:
        """The first stage's configuration."""
        return self._first_stage.config

    def encode(self, images: Tensor) -> Tensor:
        """Return latents (B, C, H / f, W / f) of images (B, 3, H, W)."""
        return self._model.encode(self._find_run(), self._first_stage, images)

    def decode(self, latents: Tensor) -> Tensor:
        """Return images (B, 3, H, W) of latents (B, C, H / f, W / f)."""
        return self._model.decode(self._find_run(), self._first_stage, latents)

    def add_known(self, images: Tensor, known: Tensor) -> Tensor:
        """Return decoded images (B, 3, H, W) with what inputs know of them, (B, 4 K, H, W)."""
        first_stage = cast("ConditionalFirstStage", self._first_stage)
        return self._model.add_known(self._find_run(), first_stage, images, known)

    def _find_run(self) -> Hashable:
        """Return the run of the thread that calls; None for another one."""
        return self._run if threading.current_thread() is self._thread else None
