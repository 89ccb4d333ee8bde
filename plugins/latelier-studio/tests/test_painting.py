"""Painting a map."""

import colorsys
import re

import pytest
from running import drag, open_section, use_model, values_of

sync_api = pytest.importorskip("playwright.sync_api")

CANVAS = "studio-map canvas"
WIDTH = 96  # of the map
WATER, SAND = 1, 2


@pytest.fixture
def open_map(open_page):
    """Open the studio with a map that a line of water divides into left and right."""

    def open_it(**options: object) -> object:
        page = open_page(**options)
        use_model(page, "sketchbook")
        open_section(page, "Map")
        drag(page, CANVAS, (0.5, 0.0), (0.5, 1.0))
        page.locator(".palette label", has_text="Sand").click()
        return page

    return open_it


def click(page, x: float, y: float) -> None:
    """Press the mouse on the map, at a place in 0..1."""
    drag(page, CANVAS, (x, y))


def pixel(values: list[int], x: float, y: float) -> int:
    return values[int(y * 64) * WIDTH + int(x * WIDTH)]


def test_an_area_is_filled_up_to_its_edge_in_one_step(open_map):
    page = open_map()
    before = values_of(page, "studio-map")
    assert set(before) == {0, WATER}
    page.get_by_role("button", name="Fill an area").click()
    click(page, 0.1, 0.9)
    after = values_of(page, "studio-map")
    assert [pixel(after, x, 0.2) for x in (0.05, 0.5, 0.95)] == [SAND, WATER, 0]
    assert after.count(WATER) == before.count(WATER)
    assert after.count(SAND) + after.count(0) == before.count(0)
    click(page, 0.5, 0.5)
    assert WATER not in values_of(page, "studio-map")
    page.get_by_role("button", name="Undo").click()
    assert values_of(page, "studio-map") == after
    page.get_by_role("button", name="Undo").click()
    assert values_of(page, "studio-map") == before
    page.get_by_role("button", name="Redo").click()
    assert values_of(page, "studio-map") == after


def test_an_area_is_filled_by_keys_and_the_brush_comes_back(open_map):
    page = open_map()
    before = values_of(page, "studio-map")
    bucket = page.get_by_role("button", name="Fill an area")
    page.locator(CANVAS).hover(position={"x": 5, "y": 5})
    page.mouse.move(0, 0)
    page.locator(CANVAS).focus()
    page.keyboard.press("f")
    sync_api.expect(bucket).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Space")
    assert values_of(page, "studio-map").count(SAND) > 0.3 * len(before)
    page.keyboard.press("Control+z")
    assert values_of(page, "studio-map") == before
    page.keyboard.press("e")
    sync_api.expect(bucket).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("e")
    page.keyboard.press("Space")
    assert 0 < values_of(page, "studio-map").count(SAND) < 0.1 * len(before)


HUES = {  # degrees of the colour circle
    "Sky": (190, 230),
    "Water": (190, 230),
    "Sand": (30, 60),
    "Meadows": (80, 140),
    "Night sky": (210, 250),
    "Animals and nature": (80, 140),
    "Sea": (190, 230),
    "Ground": (20, 50),
}


def read_swatches(page) -> dict[str, tuple[float, float, float]]:
    """Return hue, lightness and saturation, 0 to 1, of each label's colour."""
    found = {}
    for label in page.locator(".palette label").all():
        style = label.locator(".swatch").evaluate("each => getComputedStyle(each).backgroundColor")
        rgb = [int(channel) / 255 for channel in re.findall(r"\d+", style)]
        found[label.inner_text()] = colorsys.rgb_to_hls(*rgb)
    return found


def test_known_words_have_their_natural_colours(open_page):
    page = open_page()
    names = ["none", *(name.lower() for name in HUES), "quux", "corge"]

    def rename_labels(route) -> None:
        model = route.fetch().json()
        labels = [{"value": value, "name": name} for value, name in enumerate(names)]
        model["inputs"]["map"]["properties"]["map"]["labels"] = labels
        route.fulfill(json=model)

    page.route("**/api/models/sketchbook", rename_labels)
    use_model(page, "sketchbook")
    open_section(page, "Map")
    found = read_swatches(page)
    assert len(set(found.values())) == len(names)
    for name, (low, high) in HUES.items():
        assert low <= 360 * found[name][0] <= high, name


def test_the_colours_of_the_model_are_those_of_its_palette(open_page):
    page = open_page()
    use_model(page, "sketchbook")
    open_section(page, "Map")
    sample = page.locator(".palette label", has_text="Grass").locator(".swatch")
    sync_api.expect(sample).to_have_css("background-color", "rgb(93, 155, 75)")
