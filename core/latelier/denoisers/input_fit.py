"""Whether the noisy latents and timesteps of a call are what a denoiser takes."""

from torch import Tensor

from latelier.kernel.errors import InvalidInputError
from latelier.kernel.slots import DenoiserConfig


def check_input(x: Tensor, t: Tensor, config: DenoiserConfig) -> None:
    """Check x, which must be (B, C, h, w), and t, which must be (B,).

    Raises:
        InvalidInputError: a shape that the denoiser cannot take; says which it can.
    """
    multiple = config.size_multiple
    fits = x.ndim == 4 and x.shape[1] == config.latent_channels
    if not fits or x.shape[2] % multiple or x.shape[3] % multiple:
        raise InvalidInputError(
            f"x has the shape {tuple(x.shape)}; this denoiser takes "
            f"(B, {config.latent_channels}, h, w), h and w multiples of {multiple}"
        )
    if t.shape != x.shape[:1]:
        raise InvalidInputError(f"t has the shape {tuple(t.shape)}; it must be ({len(x)},)")
