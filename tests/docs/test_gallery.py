"""The commands of docs/gallery.md run, and make the pictures that the page shows."""

from PIL import Image

import latelier


def test_every_picture_of_the_page_is_made_by_its_commands(import_tool, tmp_path, monkeypatch):
    gallery = import_tool("draw_gallery")
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
