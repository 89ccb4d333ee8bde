import errno
import io
import json
from pathlib import Path

from latelier.training.monitoring.log import TrainingLog, read_log


def test_a_resumed_run_appends_to_its_log(tmp_path):
    for event in ("started", "finished"):
        TrainingLog(tmp_path / "log.jsonl").write({"event": event})
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["started", "finished"]


def test_half_a_line_stays_apart_from_the_next(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"ste')
    TrainingLog(path).write({"step": 2})
    assert [line["step"] for line in read_log(path)] == [1, 2]


def test_steps_that_a_resumed_run_repeats_count_once(tmp_path):
    path = tmp_path / "log.jsonl"
    values = [{"step": 1}, {"step": 2}, {"step": 3}, {"event": "resumed", "step": 1}, {"step": 2}]
    for line in values:
        TrainingLog(path).write(line)
    assert [line["step"] for line in read_log(path) if "event" not in line] == [1, 2]


def test_a_log_that_cannot_be_written_tells_why_and_does_not_stop(tmp_path):
    log = TrainingLog(tmp_path / "missing" / "log.jsonl")
    log.write({"step": 1})
    assert isinstance(log.failure, FileNotFoundError)
    (tmp_path / "missing").mkdir()
    log.write({"step": 2})
    assert log.failure is None


def test_a_line_of_which_a_full_disk_took_half_stays_apart_from_the_next(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    log, opened = TrainingLog(path), Path.open

    class FullDisk(io.BytesIO):
        def write(self, data):
            with opened(path, "ab") as file:
                return file.write(data[:5])

    log.write({"step": 1})
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda *arguments, **options: FullDisk())
        log.write({"step": 2})
        log.write({"step": 3})
    log.write({"step": 4})
    assert [line["step"] for line in read_log(path)] == [1, 4]


def test_listeners_receive_each_line(tmp_path):
    seen = []
    TrainingLog(tmp_path / "log.jsonl", [seen.append]).write({"step": 1, "loss": 2.0})
    assert (seen[0]["step"], seen[0]["loss"]) == (1, 2.0)


def test_a_listener_that_fails_does_not_stop_the_run_and_gets_no_further_lines(tmp_path):
    seen = []

    def fail(line):
        seen.append(line)
        raise OSError(errno.ENOSPC, "No space left on device")

    log = TrainingLog(tmp_path / "log.jsonl", [fail])
    log.write({"step": 1})
    assert log.failure is not None
    log.write({"step": 2})
    assert log.failure is None
    assert len(seen) == 1
    assert [line["step"] for line in read_log(tmp_path / "log.jsonl")] == [1, 2]


def test_a_log_without_a_file_writes_nothing():
    TrainingLog(None).write({"step": 1})
