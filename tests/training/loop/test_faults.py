"""Steps whose loss or gradient is unusable are skipped, and end a run that does not recover."""

import json
import math

import pytest
import torch

from latelier.contracts.errors import TrainingError
from latelier.training.checkpoints.checkpoint import list_checkpoints, load_checkpoint
from latelier.training.configs.operations import FaultConfig
from latelier.training.loop.faults import FaultDetector

NAN = math.nan


def last(out):
    return load_checkpoint(list_checkpoints(out / "checkpoints")[-1])


def skipped_steps(out):
    lines = map(json.loads, (out / "log.jsonl").read_text().splitlines())
    return [line for line in lines if line.get("event") == "skipped"]


@pytest.mark.parametrize("bad", [NAN, math.inf, 1e30])
def test_a_bad_step_is_skipped_and_its_samples_are_named(tmp_path, train_line, capfd, bad):
    assert train_line(tmp_path, {6: bad}).finished
    (skipped,) = skipped_steps(tmp_path)
    assert (skipped["step"], skipped["samples"]) == (4, ["6.png", "7.png"])
    shown = capfd.readouterr().err
    assert "warning: step 4 skipped: the loss is not finite; samples 6.png, 7.png" in shown
    assert last(tmp_path).state["ema_updates"] == 7


def test_a_skipped_step_changes_nothing_but_the_position(tmp_path, train_line):
    train_line(tmp_path / "skipped", {14: NAN})  # the last step
    train_line(tmp_path / "shorter", steps=7)
    one, other = last(tmp_path / "skipped"), last(tmp_path / "shorter")
    for group in ("weights", "ema", "optimizer"):
        left, right = getattr(one, group), getattr(other, group)
        assert all(torch.equal(left[name], right[name]) for name in left)


def test_a_resumed_run_skips_the_same_steps(tmp_path, train_line):
    bad = {6: NAN, 8: NAN, 14: NAN}
    train_line(tmp_path / "straight", bad)
    for steps in (3, 4, 6, 8):
        train_line(tmp_path / "resumed", bad, steps=steps)
    one, other = last(tmp_path / "straight"), last(tmp_path / "resumed")
    assert torch.equal(one.weights["weight"], other.weights["weight"])
    assert one.state["faults"] == other.state["faults"]
    assert [s["step"] for s in skipped_steps(tmp_path / "resumed")] == [4, 5, 8]


def test_a_run_stops_after_too_many_bad_steps_and_keeps_its_checkpoint(tmp_path, train_line):
    bad = dict.fromkeys(range(6, 100), NAN)
    with pytest.raises(TrainingError, match="5 steps in a row were skipped") as caught:
        train_line(tmp_path, bad, steps=50, checkpoint_seconds=1e-9, faults={"max_bad_steps": 5})
    assert "learning rate that is too high" in str(caught.value)
    assert f"The last good checkpoint is {tmp_path}/checkpoints/step-00000003" in str(caught.value)
    assert "first stage that overflows" in str(caught.value)
    assert [path.name for path in list_checkpoints(tmp_path / "checkpoints")] == [
        "step-00000002",
        "step-00000003",
    ]
    assert last(tmp_path).weights["weight"].isfinite()


def test_a_run_whose_steps_are_all_bad_has_no_result(tmp_path, train_line):
    with pytest.raises(TrainingError, match="There is no good checkpoint"):
        train_line(tmp_path, dict.fromkeys(range(4), float("nan")), steps=2)
    assert not (tmp_path / "result").exists()


def test_an_exploding_loss_is_skipped(tmp_path, train_line):
    train_line(tmp_path, {140: 5e4}, steps=80)
    (skipped,) = skipped_steps(tmp_path)
    assert skipped["step"] == 71
    assert "more than 100 times its mean" in skipped["reason"]


def test_the_loss_scale_of_half_precision_is_a_part_of_checkpoints(tmp_path, train_line):
    train_line(tmp_path, precision="16-mixed", steps=3)
    train_line(tmp_path, precision="16-mixed", steps=4)
    assert last(tmp_path).state["loss_scale"] == {"value": 2.0**16, "good_steps": 4}


class TestFaultDetector:
    def test_the_first_losses_may_be_of_any_size(self):
        detector = FaultDetector()
        for _ in range(49):
            detector.count_good_step(1.0)
        assert detector.find(1e6, FaultConfig()) is None
        detector.count_good_step(1.0)
        assert "1e+06 is more than 100 times" in detector.find(1e6, FaultConfig())

    def test_a_loss_that_was_zero_may_begin(self):
        detector = FaultDetector()
        for _ in range(60):
            detector.count_good_step(0.0)
        assert detector.find(1.0, FaultConfig()) is None

    def test_the_mean_follows_the_last_hundred_steps(self):
        detector = FaultDetector()
        for _ in range(2000):
            detector.count_good_step(-3.0)
        assert detector.mean_loss == pytest.approx(3.0)
        for _ in range(100):
            detector.count_good_step(1.0)
        assert detector.mean_loss == pytest.approx(1 + 2 * 0.99**100)
