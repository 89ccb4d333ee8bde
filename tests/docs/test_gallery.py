"""The commands of docs/gallery.md run, and make the pictures that the page shows."""

import importlib.util
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "tools" / "draw_gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_picture_of_the_page_is_made_by_its_commands(gallery, tmp_path, monkeypatch):
    import latelier

    generate = latelier.Pipeline.generate
    monkeypatch.setattr(
        latelier.Pipeline, "generate", lambda self, **inputs: generate(self, **inputs, steps=1)
    )
    gallery.draw(tmp_path, ["--steps=1"])
    shown = gallery.list_pictures()
    assert len(shown) > 15
    for name in shown:
        made, kept = Image.open(tmp_path / name), Image.open(gallery.PICTURES / name)
        assert made.size == kept.size
