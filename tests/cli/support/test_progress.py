"""Progress needs no standard error."""

import sys
from types import SimpleNamespace

from latelier.cli.support.progress import consume_with_progress, spinner


def test_a_closed_standard_error_shows_no_progress(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with spinner("building") as name_stage:
        name_stage("denoiser")
    previews = [SimpleNamespace(pictures=()), SimpleNamespace(pictures=("a", "b"))]
    assert list(consume_with_progress(previews)) == ["a", "b"]
