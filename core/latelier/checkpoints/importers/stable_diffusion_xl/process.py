"""How single files of Stable Diffusion XL were trained, which empty tensors in them tell."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
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

_EDM = Training(
    process={"kind": "edm", "sigma_data": 0.5, "sigma_min": 0.002, "sigma_max": 80.0},
    defaults={"steps": 50, "guidance": 3.0},
    scale_factor=tuple(0.5 / std for std in (8.4927, 5.9022, 6.5498, 5.2299)),
    shift_factor=(-1.6574, 1.886, -1.383, 2.5155),
    note="its process is EDM, with the latents of Playground 2.5: the file has edm_mean",
)


def find_training(path: Path, names: Collection[str], options: Mapping[str, Any]) -> Training:
    """Return how a file was trained.

    Args:
        path: of the file.
        names: of its tensors.
        options: prediction, "eps" or "v", in place of what the markers say.

    Raises:
        ModelFileError: the file was trained with a process that is not supported.
        InvalidConfigError: the option is invalid.
    """
    if any(name.startswith(_COSXL) for name in names):
        raise ModelFileError(
            f"{path}: has {_COSXL}*, so it was trained as CosXL, whose process is not supported"
        )
    if {"edm_mean", "edm_std"} <= set(names):
        return _EDM
    if "prediction" in options:
        prediction, why = check_prediction(options["prediction"]), "by the option 'prediction'"
    elif "v_pred" in names:
        prediction, why = "v", "the file has the mark v_pred"
    else:
        prediction, why = "eps", "the file has no mark v_pred"
    return _variance_preserving(prediction, why, prediction == "v" and "ztsnr" in names)


def _variance_preserving(prediction: str, why: str, ends_in_noise: bool) -> Training:
    """Return the training of a model that predicts eps or v.

    Args:
        prediction: "eps" or "v".
        why: the reason to believe it.
        ends_in_noise: whether its last step is pure noise.
    """
    trailing = {"name": "model", "options": {"spacing": "trailing"}}
    return Training(
        process={
            "kind": "vp",
            "prediction": prediction,
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "zero_terminal_snr": ends_in_noise,
        },
        defaults={
            "steps": 50,
            "sampler": "ddim",
            "schedule": trailing if ends_in_noise else "compvis",
            "guidance": 5.0,
        },
        scale_factor=0.13025,
        shift_factor=0.0,
        note=f"it predicts {prediction}: {why}" + ", up to pure noise (ztsnr)" * ends_in_noise,
    )
