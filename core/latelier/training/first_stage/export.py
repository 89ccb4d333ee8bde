"""Export of a trained first stage: its latents' scale, or their whitening, and a report."""

from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from torch import nn

from latelier.checkpoints.component import Component, save_component
from latelier.contracts.errors import LatelierError
from latelier.first_stages.configs import AutoencoderConfig
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.first_stage.images import count_held_out, load_held_out, load_training
from latelier.training.first_stage.report import Measurement, make_report, measure, write_report
from latelier.training.first_stage.whitening import whiten
from latelier.training.loop.folder.names import RESULT
from latelier.training.loop.monitor import LOG
from latelier.training.monitoring.log import TrainingLog

_MIN_STD = 1e-12


def export_first_stage(
    component: Component,
    config: FirstStageTraining,
    perceptual: nn.Module | None,
    folder: Path,
) -> None:
    """Write a trained autoencoder to `folder`, and its report to the folder and log of the run.

    The report is `report.json`, and that of another average is named as its folder, such as
    `report-length-0.1.json` of `result-length-0.1`.

    Args:
        component: the autoencoder.
        config: of its training.
        perceptual: the network of the perceptual loss, for the report.
        folder: of the component.
    """
    device, count = next(component.module.parameters()).device, config.measured_images
    held_out = load_held_out(config, count, device)
    completing = load_training(config, count - count_held_out(config, count), device)
    found = measure(component.module, held_out, perceptual, completing)
    scaled = component.module.config
    if not config.keeps_latents:
        scaled = scaled.model_copy(update={"scale_factor": choose_scale_factor(found)})
    exported = normalize_latents(component.module, found, scaled, config.whiten)
    save_component(folder, replace(component, module=exported))
    report = make_report(found, scaled) | {"whitened": config.whiten}
    write_report(config.out / f"report{folder.name.removeprefix(RESULT)}.json", report)
    TrainingLog(config.out / LOG).write({"event": "report", **report})


def choose_scale_factor(measurement: Measurement) -> float:
    """Return the factor that gives the latents a variance of 1 over all channels.

    Raises:
        LatelierError: the latents are all equal or not finite.
    """
    std = measurement.latents.overall_std
    if not isfinite(std) or std < _MIN_STD:
        raise LatelierError(
            f"the latents have a standard deviation of {std:g}, so nothing was learnt: lower the "
            "learning rate or kl_weight, and look at the losses in log.jsonl"
        )
    return 1 / std


def normalize_latents(
    autoencoder: Any, measurement: Measurement, config: AutoencoderConfig, is_whitened: bool
) -> Any:
    """Return a copy of an autoencoder whose latents are scaled as in `config`, or whitened."""
    found = measurement.latents
    if is_whitened and measurement.posterior_variance is not None:
        return whiten(autoencoder, found.mean, found.covariance, measurement.posterior_variance)
    scaled = type(autoencoder)(config)
    scaled.load_state_dict(autoencoder.state_dict())
    return scaled
