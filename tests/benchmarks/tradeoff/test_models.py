"""All trainings of the study cost the same arithmetic, and their configurations are whole."""

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import latelier
from benchmarks.tradeoff.configs import configure_denoiser, configure_first_stage
from benchmarks.tradeoff.models import MODELS, SIDE, Model
from benchmarks.tradeoff.study import Study
from latelier.checkpoints.component import new_component
from latelier.contracts.condition import Condition

STUDY = Study(Path("runs/tradeoff"))
AUTOENCODERS = [model for model in MODELS if model.kind != "none"]


def build(kind, choice):
    with torch.device("meta"):
        return new_component(kind, choice.id, choice.config, latelier.default_atelier()).module


def build_denoiser(model: Model):
    choice = configure_denoiser(STUDY, model).denoiser
    assert choice is not None
    return build("denoiser", choice)


def count_denoiser_flops(model: Model) -> int:
    denoiser = build_denoiser(model)
    x = torch.zeros(1, model.channels, model.latent_side, model.latent_side, device="meta")
    vector = torch.zeros(1, 128, device="meta")
    with FlopCounterMode(display=False) as counter:
        denoiser(x, torch.zeros(1, device="meta"), Condition(vectors={"class_label": vector}))
    return int(counter.get_total_flops())


def count_autoencoder_flops(model: Model) -> int:
    autoencoder = build("first_stage", configure_first_stage(STUDY, model).first_stage)
    with FlopCounterMode(display=False) as counter:
        z = autoencoder.encode(torch.zeros(1, 3, SIDE, SIDE, device="meta"))
        assert z.shape[1:] == (model.channels, model.latent_side, model.latent_side)
        autoencoder.decode(z)
    return int(counter.get_total_flops())


def spread(values: list[float]) -> float:
    return max(values) / min(values)


def test_denoisers_have_about_equal_numbers_of_parameters() -> None:
    counts = [sum(each.numel() for each in build_denoiser(model).parameters()) for model in MODELS]
    assert spread(counts) < 1.08


def test_steps_of_all_denoisers_cost_the_same_arithmetic() -> None:
    assert spread([model.batch * count_denoiser_flops(model) for model in MODELS]) < 1.04


def test_steps_of_all_first_stages_cost_the_same_arithmetic() -> None:
    costs = [each.first_stage_batch * count_autoencoder_flops(each) for each in AUTOENCODERS]
    assert spread(costs) < 1.06


@pytest.mark.parametrize("share", [1.0, 0.002])
def test_a_rehearsal_stores_all_averages_that_are_measured(share: float) -> None:
    study = STUDY.rehearse(share)
    for model in MODELS:
        config = configure_denoiser(study, model)
        assert config.steps >= config.ema.snapshots
