"""Progress needs no standard error and no terminal."""

import sys
from types import SimpleNamespace

from latelier.cli.support import progress
from latelier.cli.support.progress import consume_with_progress, spinner, track


def test_a_closed_standard_error_shows_no_progress(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with spinner("building") as name_stage:
        name_stage("denoiser")
    previews = [SimpleNamespace(pictures=()), SimpleNamespace(pictures=("a", "b"))]
    assert list(consume_with_progress(previews)) == ["a", "b"]
    assert list(track("abc", "reading", 3)) == ["a", "b", "c"]


def test_a_log_file_gets_a_line_now_and_then(monkeypatch, capsys):
    times = iter([0.0, 10.0, 30.0, 40.0, 90.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(times)))
    assert list(track("abcd", "reading", 2000)) == ["a", "b", "c", "d"]
    assert capsys.readouterr().err.splitlines() == [
        "reading: 2 of 2,000, 8:19:30 left",
        "reading: 4 of 2,000, 12:28:30 left",
    ]


def test_short_work_shows_nothing_without_a_terminal(capsys):
    assert list(track("abc", "reading", 3)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_counts_are_shown_with_their_rate_and_the_time_left(monkeypatch, capsys):
    clock = iter([0.0, 10.0, 40.0, 50.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))

    yielded = list(progress.track_counts(iter([10, 30, 10]), "pictures", 50, 100))

    assert yielded == [10, 30, 10]
    assert capsys.readouterr().err == "90 of 100 pictures, 1.0/s, 0:00:10 left\n"
