"""How single files of Stable Diffusion XL were trained, which empty tensors in them tell."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from latelier.checkpoints.importers.stable_diffusion.published import check_prediction
from latelier.contracts.errors import ModelFileError


@dataclass(frozen=True)
class Training:
    """The process that a file was trained with, and the factors of its latents.

    Attributes:
        process: its fields.
        defaults: of a run.
        scale_factor: of the latents; one for each channel, or one.
        shift_factor: of the latents.
        note: human-readable.
    """

    process: dict[str, Any]
    defaults: dict[str, Any]
    scale_factor: float | tuple[float, ...]
    shift_factor: float | tuple[float, ...]
    note: str


MARKERS = frozenset({"v_pred", "ztsnr", "edm_mean", "edm_std"})
"""Tensors without weights that tell how a file was trained."""

_COSXL = "edm_vpred."
"""Beginning of the marks of v-prediction with EDM's noise levels."""

_EDM_MEAN = (-1.6574, 1.886, -1.383, 2.5155)
_EDM_STD = (8.4927, 5.9022, 6.5498, 5.2299)
"""Of the latents of Playground 2.5, whose files have the markers of EDM."""


def find_training(names: Collection[str], options: Mapping[str, Any]) -> Training:
    """Return how a file was trained.

    Args:
        names: of its tensors.
        options: prediction, "eps" or "v", in place of what the markers say.

    Raises:
        ModelFileError: the file was trained with a process that is not supported.
        InvalidConfigError: the option is invalid.
    """
    if any(name.startswith(_COSXL) for name in names):
        raise ModelFileError(
            f"the file has {_COSXL}*: it was trained as CosXL, whose process is not supported"
        )
    if {"edm_mean", "edm_std"} <= set(names):
        return Training(
            {"kind": "edm", "sigma_data": 0.5, "sigma_min": 0.002, "sigma_max": 80.0},
            {"steps": 50, "guidance": 3.0},
            tuple(0.5 / std for std in _EDM_STD),
            _EDM_MEAN,
            "its process is EDM, with the latents of Playground 2.5: the file has edm_mean",
        )
    if "prediction" in options:
        prediction, why = check_prediction(options["prediction"]), "by the option 'prediction'"
    elif "v_pred" in names:
        prediction, why = "v", "the file has the mark v_pred"
    else:
        prediction, why = "eps", "the file has no mark v_pred"
    is_zero = prediction == "v" and "ztsnr" in names
    schedule = {"name": "model", "options": {"spacing": "trailing"}} if is_zero else "compvis"
    return Training(
        {
            "kind": "vp",
            "prediction": prediction,
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "zero_terminal_snr": is_zero,
        },
        {"steps": 50, "sampler": "ddim", "schedule": schedule, "guidance": 5.0},
        0.13025,
        0.0,
        f"it predicts {prediction}: {why}" + (", to pure noise (ztsnr)" if is_zero else ""),
    )
