import pytest
from PIL import Image

from latelier.data.contact_sheet import draw_contact_sheet

RED, BLUE = (255, 0, 0), (0, 0, 255)


def squares(*colors: tuple[int, int, int], size: int = 16) -> list[Image.Image]:
    return [Image.new("RGB", (size, size), color) for color in colors]


def count(sheet: Image.Image, color: tuple[int, int, int]) -> int:
    return sum(number for number, found in sheet.getcolors(1 << 20) or () if found == color)


def test_every_image_is_shown_at_tile_size() -> None:
    sheet = draw_contact_sheet(squares(RED, BLUE, RED), columns=2, tile=32)
    assert count(sheet, RED) == 2 * 32 * 32
    assert count(sheet, BLUE) == 32 * 32


def test_images_run_row_by_row() -> None:
    sheet = draw_contact_sheet(squares(RED, RED, BLUE), columns=2, tile=32)
    width, height = sheet.size
    assert sheet.getpixel((width // 4, height * 3 // 4)) == BLUE
    assert sheet.getpixel((width // 4, height // 4)) == RED


def test_proportions_are_kept() -> None:
    sheet = draw_contact_sheet([Image.new("RGB", (64, 32), RED)], tile=32)
    assert count(sheet, RED) == 32 * 16


def test_a_caption_adds_ink_below_its_tile_only() -> None:
    bare = draw_contact_sheet(squares(RED), tile=64)
    sheet = draw_contact_sheet(squares(RED), ["a red square"], tile=64)
    assert sheet.height > bare.height
    assert sheet.width == bare.width
    assert count(sheet, RED) == count(bare, RED)
    below = sheet.crop((0, bare.height, sheet.width, sheet.height)).convert("L")
    assert min(below.tobytes()) < 128


def test_long_captions_stay_inside_their_column() -> None:
    sheet = draw_contact_sheet(squares(RED, RED), ["word " * 60, ""], columns=2, tile=64)
    second_column = sheet.crop((sheet.width // 2 + 3, 70, sheet.width, sheet.height)).convert("L")
    assert min(second_column.tobytes()) == 255


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": []}, "images is empty"),
        ({"images": squares(RED), "captions": ["a", "b"]}, "captions has 2 entries"),
        ({"images": squares(RED), "columns": 0}, "columns is 0"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_contact_sheet(**arguments)  # type: ignore[arg-type]
