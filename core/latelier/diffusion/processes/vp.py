"""The variance-preserving process with discrete steps: DDPM's, and the paper's."""

from bisect import bisect_right
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from latelier.contracts.frames import FrameOfReference
from latelier.diffusion.processes.betas import BetaSchedule, betas
from latelier.diffusion.processes.prediction import PredictionType
from latelier.diffusion.processes.process import MAX_TRAINING_STEPS, Process


class VP(Process):
    """x_t = sqrt(abar_t) * x0 + sqrt(1 - abar_t) * eps, t = 0 ... steps - 1.

    The paper's schedule (Rombach et al., arXiv:2112.10752) is linear in sqrt(beta). Samplers see
    x_t / sqrt(abar_t) in the 've' frame. Where the last step is pure noise, or nearly, that is not
    finite, or too large for 20 steps of Heun: the last abar is 0 at zero terminal signal-to-noise
    ratio (Lin et al., arXiv:2305.08891) and 2e-9, a sigma of 20,000, with cosine betas. There
    samplers see x_t / (sqrt(abar_t) + sqrt(1 - abar_t)) in the 'flow' frame.
    """

    kind: Literal["vp"] = "vp"
    prediction: PredictionType = "eps"
    steps: int = Field(1000, ge=2, le=MAX_TRAINING_STEPS, description="number of training steps")
    beta_start: float = Field(0.0015, gt=0, lt=1, description="not used by 'cosine'")
    beta_end: float = Field(0.0195, gt=0, lt=1, description="not used by 'cosine'")
    beta_schedule: BetaSchedule = Field(
        "scaled_linear",
        description="scaled_linear: linear in sqrt(beta), the paper's; linear: linear in beta; "
        "cosine: abar falls as a squared cosine; sqrt: the square root of linear betas",
    )
    zero_terminal_snr: bool = Field(
        False, description="rescale the schedule so that the last step is pure noise"
    )
    timestep_rounding: Literal["interpolate", "nearest"] = Field(
        "interpolate", description="t between two steps: interpolated in log(sigma), or the nearest"
    )
    clip_x0: float | None = Field(
        None, gt=0, description="magnitude to which estimates of x0 are clipped (clip_sample)"
    )

    @model_validator(mode="after")
    def _check_prediction(self) -> "VP":
        if self.zero_terminal_snr and self.prediction == "eps":
            raise ValueError(
                "a model of zero terminal SNR cannot predict eps: its first input is pure noise; "
                "use prediction 'v' or 'x0'"
            )
        return self

    @model_validator(mode="after")
    def _check_sigmas(self) -> "VP":
        with np.errstate(all="ignore"):
            sigmas = np.array(self.sigmas)
        if not (np.isfinite(sigmas).all() and sigmas[0] > 0 and (np.diff(sigmas) > 0).all()):
            raise ValueError(
                f"the sigmas of {self.steps} steps with betas '{self.beta_schedule}' from "
                f"{self.beta_start:g} to {self.beta_end:g} do not increase between 0 and infinity; "
                "use other betas or fewer steps"
            )
        return self

    @property
    def training_steps(self) -> int:  # type: ignore[override]
        """Number of discrete training steps."""
        return self.steps

    def _compute_signal_and_noise(self) -> "tuple[np.ndarray, np.ndarray]":
        """Return sqrt(abar) and sqrt(1 - abar), (steps,) float64."""
        table = betas(self.beta_schedule, self.beta_start, self.beta_end, self.steps)
        signal = np.sqrt(np.cumprod(1 - table))
        if self.zero_terminal_snr:
            signal = (signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])
        return signal, np.sqrt(1 - signal**2)

    @cached_property
    def sigmas(self) -> tuple[float, ...]:
        """The sigma of every training step, increasing."""
        signal, noise = self._compute_signal_and_noise()
        scale = signal + noise if self.frame == "flow" else signal
        return tuple((noise / scale).tolist())

    @cached_property
    def _log_sigmas(self) -> tuple[float, ...]:
        return tuple(np.log(self.sigmas).tolist())

    @property
    def frame(self) -> FrameOfReference:
        """'flow' where the last step is pure noise, or nearly, else 've'."""
        return "flow" if self.zero_terminal_snr or self.beta_schedule == "cosine" else "ve"

    @property
    def sigma_min(self) -> float:
        """The sigma of step 0 (not 0: the paper's abar[0] is 0.9985)."""
        return self.sigmas[0]

    @property
    def sigma_max(self) -> float:
        """The sigma of the last step."""
        return self.sigmas[-1]

    def timestep(self, sigma: float | Tensor) -> Tensor:
        """Return t, interpolated in log(sigma) or rounded; an exact integer at a training step."""
        if isinstance(sigma, Tensor):
            times = [self._timestep(s) for s in sigma.double().flatten().tolist()]
            return torch.tensor(times, device=sigma.device).view(sigma.shape)
        return torch.tensor(self._timestep(sigma))

    def _timestep(self, sigma: float) -> float:
        low = bisect_right(self.sigmas, sigma) - 1
        if low < 0:
            return 0.0
        if low >= self.steps - 1:
            return float(self.steps - 1)
        start, end = self._log_sigmas[low : low + 2]
        t = low + (float(np.log(sigma)) - start) / (end - start)
        if sigma == self.sigmas[low]:
            t = float(low)
        return float(round(t)) if self.timestep_rounding == "nearest" else t

    def sigma(self, t: float) -> float:
        """Return the sigma of t in 0 ... steps - 1, interpolated in log(sigma)."""
        if float(t).is_integer():
            return self.sigmas[int(t)]
        return float(np.exp(np.interp(t, np.arange(self.steps), self._log_sigmas)))

    def input_scale(self, sigma: float | Tensor) -> float | Tensor:
        """Return 1 / sqrt(alpha^2 + sigma^2), which brings x to unit variance."""
        alpha = 1 - sigma if self.frame == "flow" else 1.0
        return (alpha**2 + sigma**2) ** -0.5

    def denoised(self, output: Tensor, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Return x0, clipped where the model was made to be sampled so."""
        x0 = super().denoised(output, x, sigma)
        return x0 if self.clip_x0 is None else x0.clamp(-self.clip_x0, self.clip_x0)
