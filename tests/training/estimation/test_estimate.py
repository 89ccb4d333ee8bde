import statistics

import pytest
import torch
from torch import nn

from latelier.checkpoints.io.weights import meta_device
from latelier.contracts.condition import Condition
from latelier.kernel.atelier import Atelier
from latelier.nn.flops import count_flops
from latelier.nn.memory import free_memory
from latelier.presets.reader import read_preset
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.estimation import micro_batch
from latelier.training.estimation.estimate import V100_FLOPS, estimate
from latelier.training.estimation.memory import measure_activations, size_of
from latelier.training.estimation.micro_batch import describe_micro_batch, find_micro_batch
from latelier.training.estimation.phases import split_phases
from latelier.training.estimation.trial import open_trial
from latelier.training.first_stage.train import plan_first_stage
from latelier.training.loop.split import BatchSplit

FIRST_STAGE = {
    "id": "autoencoder_kl",
    "config": {"ch": 8, "ch_mult": [1, 2], "num_res_blocks": 1, "num_groups": 4},
}


def make_config(out, **changes):
    values = {
        "out": out,
        "steps": 100,
        "batch_size": 4,
        "accumulate": 2,
        "accelerator": "cpu",
        "data": {"config": {"size": 16}},
        "first_stage": FIRST_STAGE,
    }
    return FirstStageTraining.model_validate({**values, **changes})


@pytest.fixture(params=[{}])
def trial(request, tmp_path):
    config = make_config(tmp_path / "out", **request.param)
    with open_trial(plan_first_stage, config, Atelier()) as trial:
        yield trial
    assert not (tmp_path / "out").exists()
    assert not trial.run.config.out.exists()


def test_an_estimate_counts_weights_arithmetic_memory_and_time(trial):
    found = estimate(trial)
    weights = sum(p.numel() for p in trial.plan.objective.parameters())
    assert found.parameters == {"autoencoder": (weights, weights)}
    assert found.memory["weights"] == found.memory["gradients"] == 4 * weights
    assert found.memory["averages"] == 2 * 4 * weights
    assert 8 * weights < found.memory["optimizer"] < 8.1 * weights
    assert found.memory["activations"] > 0
    (cost,) = found.phases
    assert (cost.phase.start, cost.phase.end) == (0, 100)
    assert cost.flops > 6 * weights  # a convolution uses its weights at each pixel
    assert cost.seconds > 0
    assert found.seconds == 100 * cost.seconds
    assert found.flops == 100 * 4 * cost.flops
    assert found.v100_days == pytest.approx(found.flops / 14e12 / 86_400)
    (line,) = (line for line in found.lines() if line.startswith("arithmetic: "))
    assert line.endswith("V100-days at 14 TFLOP/s")
    (line,) = (line for line in found.lines() if line.startswith("steps 0 to 99: "))
    assert "minutes per 1,000 steps" in line


PUBLISHED = {  # Table 18, by network: samples and V100-days
    "celeba256": [(410e3 * 48, 14.4), (635e3 * 42, 26), (1.9e6 * 48, 60)],  # FFHQ, Bedrooms
    "lsun_churches256": [(500e3 * 96, 18)],
    "cin256-v2": [(178e3 * 1200, 271)],
    "cin256": [(4.8e6 * 64, 79)],
}


def test_the_rate_of_a_v100_is_that_of_the_published_trainings():
    rates = []
    for name, trainings in PUBLISHED.items():
        flops = count_published_flops(name)
        rates += [samples * flops / (days * 86_400) for samples, days in trainings]
    assert 0.6 * V100_FLOPS < min(rates) < max(rates) < 1.8 * V100_FLOPS
    assert statistics.median(rates) == pytest.approx(V100_FLOPS, rel=0.05)


def count_published_flops(name: str) -> float:
    """Return the arithmetic of a sample of a published training, with its encoding."""
    preset, registries = read_preset(name), Atelier().registries
    with meta_device():
        first_stage = registries["first_stage"].build(*preset.first_stage.piece)
        denoiser = registries["denoiser"].build(*preset.denoiser.piece)
        picture, time = torch.empty(1, 3, 256, 256), torch.empty(1)
    with torch.no_grad(), count_flops() as encoding:
        latents = first_stage.encode(picture)
    with torch.no_grad(), count_flops() as prediction:
        denoiser(latents, time, Condition())
    return encoding.get_total_flops() + 3 * prediction.get_total_flops()


SMALL = {"start": 0, "discriminator": {"layers": 1, "channels": 4}}


@pytest.mark.parametrize("trial", [{"adversarial": SMALL}], indirect=True)
def test_all_players_count_as_trained(trial):
    found = estimate(trial)
    assert set(found.parameters) == {"autoencoder", "adversary"}
    assert all(trained == count > 0 for count, trained in found.parameters.values())
    assert found.memory["gradients"] == sum(4 * count for count, _ in found.parameters.values())


LATER = {"adversarial": {**SMALL, "start": 0.5}, "decoder_only": {"start": 75}}


def test_phases_begin_where_parts_of_the_training_do(tmp_path):
    found = [(each.start, each.end, each.begins) for each in split_phases(make_config(tmp_path))]
    assert found == [(0, 100, ())]
    phases = split_phases(make_config(tmp_path, **LATER))
    assert [(each.start, each.end, each.begins) for each in phases] == [
        (0, 50, ()),
        (50, 75, ("adversarial.start",)),
        (75, 100, ("decoder_only.start",)),
    ]
    together = {**LATER, "decoder_only": {"start": 50}}
    names = split_phases(make_config(tmp_path, **together))[1].begins
    assert set(names) == {"adversarial.start", "decoder_only.start"}


@pytest.mark.parametrize("trial", [LATER], indirect=True)
def test_each_phase_is_measured_and_the_largest_memory_counts(trial):
    found = estimate(trial)
    first, adversarial, decoder = found.phases
    assert first.flops < adversarial.flops  # the discriminator
    assert decoder.flops < adversarial.flops  # the encoder has no gradient
    assert decoder.activations < adversarial.activations
    assert found.memory["activations"] == adversarial.activations > first.activations
    assert found.seconds == pytest.approx(
        50 * first.seconds + 25 * adversarial.seconds + 25 * decoder.seconds
    )
    lines = "\n".join(found.lines())
    assert "steps 50 to 74, from adversarial.start: " in lines
    assert "minutes for 100 steps" in lines


def test_several_steps_are_measured_as_not_all_have_all_terms(trial, monkeypatch):
    steps = []
    take = type(trial).take_step

    def record(self, step, micro_batches):
        steps.append(step)
        take(self, step, micro_batches)

    monkeypatch.setattr(type(trial), "take_step", record)
    estimate(trial)
    assert steps == [0, *range(4), *range(8)]


CODES = {"first_stage": {"id": "autoencoder_vq", "config": FIRST_STAGE["config"]}}


@pytest.mark.parametrize("trial", [{**CODES, "codebook_start": 99}], indirect=True)
def test_drawing_the_codes_is_no_part_of_a_step(trial):
    first, quantized = estimate(trial).phases
    assert quantized.phase.steps == 1
    assert first.flops == pytest.approx(quantized.flops, rel=0.1)


@pytest.mark.parametrize("trial", [LATER], indirect=True)
def test_the_micro_batch_fits_in_the_phase_with_the_largest_memory(trial, monkeypatch):
    tried = []
    measure = micro_batch.measure_activations

    def record(module):
        tried.append(trial.state.step)
        return measure(module)

    monkeypatch.setattr(micro_batch, "measure_activations", record)
    find_micro_batch(trial)
    assert tried == [1, 51, 76]  # after the step that allocates the optimizer's state


def test_activations_are_those_that_the_backward_pass_needs():
    layer = nn.Sequential(nn.Linear(8, 16), nn.Sigmoid(), nn.Linear(16, 4))
    with measure_activations(layer) as saved:
        for rows in (5, 2, 5):  # what an earlier pass kept is free again
            layer(torch.zeros(rows, 8)).sum().backward()
    assert saved.peak == 4 * 5 * (8 + 16)  # the input and the output of the sigmoid
    with measure_activations(layer) as saved:
        losses = [layer(torch.zeros(5, 8)).sum() for _ in range(2)]
        sum(losses).backward()
    assert saved.peak == 2 * 4 * 5 * (8 + 16)


def test_the_micro_batch_of_a_cpu_is_bounded_by_its_free_memory(trial, monkeypatch):
    monkeypatch.setattr(micro_batch, "free_memory", lambda device: 10 * 2**20)
    some = find_micro_batch(trial)
    monkeypatch.setattr(micro_batch, "free_memory", lambda device: 40 * 2**20)
    assert find_micro_batch(trial) == 4 * some > 0
    monkeypatch.setattr(micro_batch, "free_memory", lambda device: 0)
    assert find_micro_batch(trial) == 0


@pytest.mark.parametrize(
    ("largest", "words"),
    [(8, "set accumulate to 3"), (16, "set accumulate to 2"), (64, "set accumulate to 1")],
)
def test_the_micro_batch_is_told_as_a_value_of_the_configuration(largest, words):
    assert words in describe_micro_batch(largest, BatchSplit(24 * 2, ranks=2))


def test_memory_that_holds_no_sample_is_told():
    assert "not even one sample" in describe_micro_batch(0, BatchSplit(8))


def test_free_memory_and_sizes_are_in_bytes():
    assert free_memory(torch.device("cpu")) > 2**20
    assert size_of([torch.zeros(3), torch.zeros(2, dtype=torch.int64)]) == 28
