"""Distillation: a student of few steps learns where the teacher's steps lead."""

import json
from dataclasses import replace

import pytest
import torch

from latelier import default_atelier, load
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.pipeline.request import Defaults
from latelier.training.configs.distillation import DistillationTraining
from latelier.training.data.datasets import make_training_samples
from latelier.training.distillation.teacher import euler_x0
from latelier.training.distillation.train import plan_distillation, train_distillation
from latelier.training.randomness import Draws
from latelier_conditioners.text.inputs import TextConfig

VALUES = {
    "steps": 3,
    "batch_size": 3,
    "rank": 4,
    "targets": ["denoiser.*"],
    "student_steps": 2,
    "teacher_steps": 6,
    "guidance": 3.0,
    "accelerator": "cpu",
    "checkpoint_seconds": 1000,
    "sheet_every": 100,
    "log_every": 1,
    "data": {"config": {"size": 16}},
    "validation": {"samples": 4},
    "optimizer": {"lr": 0.01},
    "schedule": {"kind": "constant", "warmup": 0},
}


@pytest.fixture
def configure(base, tmp_path):
    def make(**changes):
        values = {**VALUES, "out": tmp_path / "run", "model": str(base), **changes}
        return validate(DistillationTraining, values, "config")

    return make


@pytest.fixture
def make_evaluator(configure):
    return lambda **changes: plan_distillation(configure(**changes), default_atelier()).evaluator


def batch_of(objective, count=3):
    samples = make_training_samples(objective.config)
    return objective.collate([samples[k] for k in range(count)])


def test_one_euler_step_to_its_target_ends_where_the_teacher_does():
    x, end = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    x0 = euler_x0(x, end, 0.9, 0.4)
    torch.testing.assert_close(x + (0.4 - 0.9) * (x - x0) / 0.9, end)
    torch.testing.assert_close(euler_x0(x, end, 0.9, 0.0), end)


def test_the_segments_of_the_student_cover_the_path_of_the_teacher(make_evaluator):
    teacher = make_evaluator().objective.teacher
    first, last = (teacher.segment(step) for step in range(2))
    assert (first[0], first[-1], last[-1]) == tuple(teacher.student_sigmas)
    assert first[-1] == last[0]
    assert (*first, *last[1:]) == tuple(teacher.path)
    assert teacher.path.steps >= 6


def test_the_target_is_where_the_model_arrives_with_guidance(make_evaluator, base):
    """The denoiser's steps of `Pipeline.denoise_fn` and those of the teacher are the same."""
    evaluator = make_evaluator(drop_all=0.0, inputs={"prompt": {"source": "prompt", "drop": 0.0}})
    objective, teacher = evaluator.objective, evaluator.objective.teacher
    batch = batch_of(objective)
    kept = objective.conditioning.keep_all(3)
    condition = objective.encode_condition(batch, kept)
    negative = objective.encode_condition(objective.conditioning.negative_batch(batch), kept)
    samples = make_training_samples(objective.config)
    prompts = [samples[k]["prompt"] for k in range(3)]
    denoise = load(base, "cpu", "float32").denoise_fn(prompt=prompts, guidance=3.0)
    x = torch.randn(3, *evaluator.objective.first_stage.encode(torch.zeros(1, 3, 16, 16)).shape[1:])
    sigmas = teacher.segment(1)
    own = load(base, "cpu", "float32")
    sampler = own.defaults.sampler.resolve(own.atelier.samplers).bind(own.atelier.samplers)
    *_, last = sampler(denoise, x, sigmas)
    torch.testing.assert_close(teacher.sample(x, condition, negative, sigmas), last.x)


def test_a_step_from_the_example_ends_where_the_teacher_does(make_evaluator, monkeypatch):
    objective = make_evaluator().objective
    sample, ends = objective.teacher.sample, []

    def record(x, condition, negative, sigmas):
        ends.append((sigmas[0], sigmas[-1], sample(x, condition, negative, sigmas)))
        return ends[-1][2]

    monkeypatch.setattr(objective.teacher, "sample", record)
    batch = batch_of(objective)
    latents = torch.randn(3, *objective.first_stage.encode(batch["image"]).shape[1:])
    kept = objective.conditioning.keep_all(3)
    condition = objective.encode_condition(batch, kept)
    for step in range(8):
        draws = Draws(0, step, batch["index"])
        example = objective.make_example(batch, latents, condition, kept, draws)
        start, end, x_end = ends[-1]
        assert example.sigmas.tolist() == [start] * 3
        velocity = (example.x - example.x0) / start
        torch.testing.assert_close(example.x + (end - start) * velocity, x_end)
        noised = objective.process.noised(example.x0, example.eps, start)
        torch.testing.assert_close(noised, example.x)
    assert {start for start, _, _ in ends} == set(objective.teacher.student_sigmas[:-1])


def test_known_pixels_stay_in_the_negative_condition(
    make_evaluator, compose_tiny, tiny_changes, tmp_path
):
    """As in sampling: a spatial part that is not guided is compared with itself."""
    parts = tiny_changes()
    _, denoiser = parts["denoiser"]
    text = ("text", {"width": 16, "layers": 1, "heads": 2, "max_length": 128})
    compose_tiny(
        denoiser=("unet", {**denoiser, "vectors": {}, "spatial": {"hole": 5}}),
        conditioners={"text": text, "hole": ("mask", {"latent_channels": 4})},
        inputs={"prompt": "text"},
    ).save(tmp_path / "model")
    inputs = {
        name: {"source": source} for name, source in [("prompt", "prompt"), ("hole", "image")]
    }
    objective = make_evaluator(model=str(tmp_path / "model"), inputs=inputs).objective
    batch = batch_of(objective)
    kept = objective.conditioning.keep_all(3)
    condition = objective.encode_condition(batch, kept)
    negative = objective.encode_condition(objective.conditioning.negative_batch(batch), kept)
    assert torch.equal(negative.spatial["hole"], condition.spatial["hole"])
    assert not torch.equal(negative.streams["text"].tokens, condition.streams["text"].tokens)


@pytest.mark.parametrize("keeps", [True, False])
def test_what_guidance_keeps_stays_in_the_negative_condition(make_evaluator, monkeypatch, keeps):
    monkeypatch.setattr(TextConfig, "is_kept_in_negative", keeps)
    inputs = {"prompt": {"source": "prompt", "drop": 0.0}}
    objective = make_evaluator(drop_all=0.0, inputs=inputs).objective
    batch, kept = batch_of(objective), objective.conditioning.keep_all(3)
    condition = objective.encode_condition(batch, kept)
    negative = objective.encode_condition(objective.conditioning.negative_batch(batch), kept)
    own, other = (each.streams["text"].tokens for each in (condition, negative))
    assert torch.equal(own, other) == keeps


def test_the_student_comes_nearer_to_the_teacher(make_evaluator):
    evaluator = make_evaluator()
    objective = evaluator.objective
    with torch.no_grad():
        before = evaluator.validate()
    optimizer = torch.optim.Adam(objective.trained.parameters(), lr=0.01)
    for step in range(48):
        optimizer.zero_grad()
        objective(batch_of(objective), step)["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        after = evaluator.validate()
    assert after["path_error"] < 0.8 * before["path_error"]
    assert after["path_error_without"] == before["path_error_without"]


def test_the_result_brings_its_defaults(configure, base):
    config = configure()
    assert train_distillation(config).finished
    stored = json.loads((config.out / "result" / "adapter.json").read_text())
    assert stored["defaults"]["steps"] == 2
    pipe = load(base, "cpu")
    view = pipe.with_adapter(config.out / "result")
    assert (view.defaults.steps, view.defaults.sampler.name) == (2, "euler")
    assert view.defaults.guidance.options == {"scale": 1.0}
    assert view.defaults.schedule.name == pipe.defaults.schedule.name
    picture = view.generate(prompt="a cat", seed=1)[0]
    assert picture.provenance["request"]["steps"] == 2
    assert (config.out / "sheets" / "step-00000003.png").exists()
    assert "path_error" in (config.out / "log.jsonl").read_text()


class TestFaults:
    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"teacher_steps": 2}, "more teacher_steps than student_steps, got 2 and 2"),
            ({"noise": {"kind": "uniform"}}, "no 'noise'"),
        ],
    )
    def test_a_configuration_that_cannot_be_is_refused(self, configure, changes, says):
        with pytest.raises(InvalidConfigError, match=says):
            configure(**changes)

    def test_a_sampler_that_draws_noise_is_no_teacher(self, configure, base, tmp_path):
        pipe = load(base, "cpu")
        noisy = {**pipe.defaults.model_dump(), "sampler": "dpmpp_sde"}
        replace(pipe, defaults=Defaults.model_validate(noisy)).save(tmp_path / "noisy")
        with pytest.raises(InvalidConfigError, match="model: its sampler 'dpmpp_sde' draws noise"):
            plan_distillation(configure(model=str(tmp_path / "noisy")), default_atelier())
