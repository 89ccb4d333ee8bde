import numpy as np
import torch
from PIL import Image

from latelier.training.sheets import grid, pictures, save_sheet


def test_images_become_pictures_and_values_outside_are_clipped():
    images = torch.tensor([-2.0, -1.0, 0.0, 1.0]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    (picture,) = pictures(images)
    assert np.asarray(picture)[..., 0].tolist() == [[0, 0], [128, 255]]


def test_a_grid_has_a_place_for_every_picture():
    red, blue = (Image.new("RGB", (2, 3), color) for color in ("red", "blue"))
    sheet = grid([[red, blue], [blue]], zoom=2, gap=1)
    assert sheet.size == (2 * (4 + 1) + 1, 2 * (6 + 1) + 1)
    assert sheet.getpixel((1, 1)) == (255, 0, 0)
    assert sheet.getpixel((6, 1)) == (0, 0, 255)
    assert sheet.getpixel((1, 8)) == (0, 0, 255)
    assert sheet.getpixel((6, 8)) == (255, 255, 255)


def test_a_saved_sheet_is_a_png_and_leaves_nothing_else(tmp_path):
    save_sheet(Image.new("RGB", (2, 2)), tmp_path / "sheets" / "a.png")
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["a.png"]
    assert Image.open(tmp_path / "sheets" / "a.png").format == "PNG"
