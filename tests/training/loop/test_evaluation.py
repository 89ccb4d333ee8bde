import json

import pytest
import torch

from latelier.checkpoints.component import load_component
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.kernel.default import default_atelier
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.first_stage.train import plan_first_stage, train_first_stage
from latelier.training.loop.evaluation import export_average
from latelier.training.loop.folder.config import write_config
from latelier.training.optimization.averages import average_snapshots, list_snapshots
from latelier.training.step_names import step_name, step_of

TINY = {
    "steps": 8,
    "batch_size": 2,
    "accelerator": "cpu",
    "checkpoint_seconds": 1000,
    "sheet_weights": [],
    "measured_images": 4,
    "data": {"config": {"size": 16}},
    "ema": {"lengths": [0.05, 0.1], "snapshots": 4},
    "first_stage": {
        "id": "autoencoder_kl",
        "config": {"ch": 8, "ch_mult": [1, 2], "num_res_blocks": 1, "num_groups": 4},
    },
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config = FirstStageTraining(**TINY, out=tmp_path_factory.mktemp("run"))
    train_first_stage(config)
    return config


def test_a_stored_length_gives_the_stored_average(trained):
    folder = export_average(plan_first_stage, trained, default_atelier(), 0.1)
    assert folder.name == "result-length-0.1"
    module = load_component(folder, "first_stage", default_atelier()).module
    stored = load_checkpoint(list_checkpoints(trained.out / "checkpoints")[-1]).average(0.1)
    name = "encoder.conv_in.weight"
    assert torch.allclose(module.state_dict()[name], stored[name], atol=1e-3)  # 16-bit snapshots


def test_another_average_has_a_report_of_its_own(trained):
    before = (trained.out / "report.json").read_bytes()
    export_average(plan_first_stage, trained, default_atelier(), 0.2)
    assert (trained.out / "report.json").read_bytes() == before
    report = json.loads((trained.out / "report-length-0.2.json").read_text())
    assert report.keys() == json.loads(before).keys()


def test_an_average_at_an_earlier_step_is_a_folder_of_its_own(trained):
    step = step_of(list_snapshots(trained.out / "snapshots")[0])
    folder = export_average(plan_first_stage, trained, default_atelier(), 0.1, step)
    assert folder.name == f"result-length-0.1-{step_name(step)}"
    early = load_component(folder, "first_stage", default_atelier()).module.state_dict()
    snapshot = average_snapshots(trained.out / "snapshots", 0.1, step)
    assert torch.equal(early["encoder.conv_in.weight"], snapshot["encoder.conv_in.weight"])
    assert (trained.out / f"report-length-0.1-{step_name(step)}.json").exists()


@pytest.mark.parametrize("length", [0, -0.1, 0.3, float("nan")])
def test_an_impossible_length_is_refused(trained, length):
    with pytest.raises(InvalidConfigError, match=r"relative length above 0 and up to 0\.28"):
        export_average(plan_first_stage, trained, default_atelier(), length)


WIDER = {**TINY["first_stage"], "config": {**TINY["first_stage"]["config"], "ch": 16}}


def test_another_configuration_than_that_of_the_run_is_refused(trained):
    other = FirstStageTraining(**{**TINY, "out": trained.out, "first_stage": WIDER, "seed": 1})
    with pytest.raises(InvalidConfigError, match=r"config\.yaml has another first_stage, seed"):
        export_average(plan_first_stage, other, default_atelier(), 0.1)


def test_fields_that_may_change_are_those_of_the_run(trained):
    planned = []

    def plan(config, atelier):
        planned.append(config)
        return plan_first_stage(config, atelier)

    other = FirstStageTraining(**{**TINY, "out": trained.out, "steps": 80})
    export_average(plan, other, default_atelier(), 0.1)
    assert planned == [trained]


def test_a_folder_without_a_run_is_refused(tmp_path):
    config = FirstStageTraining(**TINY, out=tmp_path / "none")
    with pytest.raises(InvalidConfigError, match="none has no run"):
        export_average(plan_first_stage, config, default_atelier(), 0.1)


def test_snapshots_of_another_model_are_refused(trained, tmp_path):
    other = FirstStageTraining(**{**TINY, "out": tmp_path, "first_stage": WIDER})
    write_config(tmp_path, other)
    (tmp_path / "snapshots").symlink_to(trained.out / "snapshots")
    with pytest.raises(ModelFileError, match="of another model"):
        export_average(plan_first_stage, other, default_atelier(), 0.1)
