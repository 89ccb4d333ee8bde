import json

import pytest
from PIL import Image

from latelier.training.monitoring import curves as curves_module
from latelier.training.monitoring.curves import collect_curves, draw_curves

LINES = [
    {"step": 1, "loss": 2.0, "kl": 0.5, "time": 1.0, "images_per_second": 3.0},
    {"event": "sheet", "step": 1, "psnr": 20.0},
    {"step": 2, "loss": 1.0, "time": 2.0},
]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES))
    return path


def test_curves_are_the_terms_over_the_steps(log):
    assert collect_curves(log) == {"loss": ([1, 2], [2.0, 1.0]), "kl": ([1], [0.5])}


def test_curves_are_a_picture(log, tmp_path):
    pytest.importorskip("matplotlib")
    draw_curves(log, tmp_path / "curves.png")
    assert Image.open(tmp_path / "curves.png").format == "PNG"


def test_without_matplotlib_nothing_is_drawn(log, tmp_path, monkeypatch):
    monkeypatch.setattr(curves_module, "find_spec", lambda name: None)
    draw_curves(log, tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()
