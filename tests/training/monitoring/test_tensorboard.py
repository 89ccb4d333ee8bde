import pytest

from latelier.training.monitoring.log import TrainingLog
from latelier.training.monitoring.tensorboard import open_tensorboard


def test_numbers_of_the_log_become_scalars(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TrainingLog(tmp_path / "log.jsonl", [open_tensorboard(tmp_path, 0)])
    log.write({"step": 1, "loss": 2.0})
    log.write({"step": 2, "loss": 1.0})
    log.write({"event": "validation", "step": 2, "ema": {"error": 0.5}, "reason": "a word"})
    log.write({"event": "resumed", "step": 2})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"training/loss", "validation/ema/error"}
    assert [(e.step, e.value) for e in events.Scalars("training/loss")] == [(1, 2.0), (2, 1.0)]
