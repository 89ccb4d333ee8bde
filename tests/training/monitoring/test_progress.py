import json

import pytest

from latelier.training.monitoring import progress as progress_module
from latelier.training.monitoring.progress import TrainingProgress


def test_a_report_has_rate_and_time_left(tmp_path, monkeypatch, capfd):
    clock = iter([100.0, 104.0])
    monkeypatch.setattr(progress_module.time, "perf_counter", lambda: next(clock))
    with TrainingProgress(tmp_path / "log.jsonl", first=10, steps=110, batch_size=8) as progress:
        progress.report(30, {"loss": 0.5})
    shown = capfd.readouterr().err
    assert "step 30/110  loss 0.5  40.0 images/s  0:00:16 left" in shown
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    logged = json.loads(line)
    assert (logged["step"], logged["loss"]) == (30, 0.5)
    assert logged["images_per_second"] == pytest.approx(40.0)


def test_a_resumed_run_appends_to_its_log(tmp_path):
    for event in ("started", "resumed"):
        TrainingProgress(tmp_path / "log.jsonl", 0, 10, 1).log({"event": event})
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["started", "resumed"]
