from PIL import Image

from latelier.training.monitoring.sheets import save_sheet, split_rows, tile_images


def test_the_last_row_may_be_shorter():
    a, b, c = (Image.new("RGB", (1, 1)) for _ in range(3))
    assert split_rows([a, b, c], 2) == [[a, b], [c]]


def test_pictures_are_tiled_and_zoomed():
    red, blue = (Image.new("RGB", (2, 3), color) for color in ("red", "blue"))
    sheet = tile_images([[red, blue], [blue]], zoom=2, gap=1)
    assert sheet.size == (2 * (4 + 1) + 1, 2 * (6 + 1) + 1)
    assert sheet.getpixel((1, 1)) == (255, 0, 0)
    assert sheet.getpixel((6, 1)) == (0, 0, 255)
    assert sheet.getpixel((1, 8)) == (0, 0, 255)
    assert sheet.getpixel((6, 8)) == (255, 255, 255)


def test_a_sheet_is_saved_as_png_and_no_partial_file_remains(tmp_path):
    save_sheet(Image.new("RGB", (2, 2)), tmp_path / "sheets" / "a.png")
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["a.png"]
    assert Image.open(tmp_path / "sheets" / "a.png").format == "PNG"
