import json

import pytest
from rich.console import Console

from latelier.training.monitoring import progress as progress_module
from latelier.training.monitoring.log import TrainingLog
from latelier.training.monitoring.progress import TrainingProgress


def test_a_report_has_rate_and_time_left(tmp_path, monkeypatch, capfd):
    clock = iter([100.0, 101.0, 102.0, 103.0, 104.0])
    monkeypatch.setattr(progress_module.time, "perf_counter", lambda: next(clock))
    log = TrainingLog(tmp_path / "log.jsonl")
    console = Console(stderr=True)
    with TrainingProgress(log, console, first=10, steps=110, batch_size=8) as progress:
        assert list(progress.measure_wait(["batch"])) == ["batch"]
        progress.report(30, {"loss": 0.5})
    shown = capfd.readouterr().err
    assert "step 30/110  loss 0.5  40.0 images/s  25% data wait  0:00:16 left" in shown
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    logged = json.loads(line)
    assert (logged["step"], logged["loss"]) == (30, 0.5)
    assert logged["images_per_second"] == pytest.approx(40.0)
