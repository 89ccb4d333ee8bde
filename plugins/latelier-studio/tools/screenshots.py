"""Take the screenshots of docs/studio.md, with the models of this machine.

    python plugins/latelier-studio/tools/screenshots.py

Look at each of them before they are committed.
"""

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from running import create, drag, drop, open_section, running_studio  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SIZE = (1280, 860)
QUALITY = 74


def shoot(page: Page, name: str, height: int | None = None) -> None:
    """Write what a page shows."""
    page.wait_for_timeout(600)  # until it has scrolled
    view = page.viewport_size
    if height is not None:
        page.set_viewport_size({"width": view["width"], "height": height})
    image = Image.open(io.BytesIO(page.screenshot()))
    image.convert("RGB").save(IMAGES / f"studio-{name}.webp", quality=QUALITY, method=6)
    page.set_viewport_size(view)


def set_detail(page: Page, name: str, value: object) -> None:
    """Set a number below Details."""
    open_section(page, "Details")
    page.locator(f"[data-field={name}] input[type=number]").first.fill(str(value))
    open_section(page, "Details")


def show_page(page: Page) -> None:
    """Several pictures, and others in the gallery."""
    set_detail(page, "seed", 5)
    for prompt in (
        "a hot air balloon above a house in a meadow",
        "a penguin and a snowman",
        "a fish to the left of an octopus on a blue background",
        "a lion in front of a tree in a meadow",
    ):
        create(page, prompt)
    page.locator(".count label", has_text="4").click()
    create(page, "two kittens to the left of a red car in a meadow")
    page.locator(".grid li").nth(7).wait_for()
    shoot(page, "page", height=1250)


def show_references(page: Page) -> None:
    """A drawing of one's own beside two of the database, placed by hand."""
    open_section(page, "Reference")
    drop(page, draw_robot(), "studio-references")
    for name in ("house", "dog"):
        page.get_by_label("Add a drawing by its name").fill(name)
        page.locator(".suggestions img").first.wait_for()
        page.keyboard.press("Enter")
    page.wait_for_timeout(600)
    sheet = "studio-references .sheet"
    drag(page, sheet, (0.72, 0.62), (0.7, 0.45))
    drag(page, sheet, (0.5, 0.27), (0.6, 0.8))
    drag(page, sheet, (0.28, 0.62), (0.25, 0.6))
    page.locator(".drawing").first.focus()
    for key in ("+", "+", "[", "["):
        page.keyboard.press(key)
    set_detail(page, "seed", 3)
    create(page, "#1 to the left of #2 and #3 in a meadow")
    page.locator(".drawing").first.focus()
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "references", height=1010)


def draw_robot() -> bytes:
    """Return a drawing that is in no database."""
    image = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(image)
    line = {"outline": "#26344d", "width": 8}
    draw.line((200, 20, 200, 70), fill="#26344d", width=8)
    draw.ellipse((184, 8, 216, 40), fill="#e4572e", **line)
    draw.rounded_rectangle((110, 60, 290, 190), 30, fill="#5fb3b3", **line)
    for x in (150, 222):
        draw.ellipse((x, 95, x + 34, 129), fill="#fff7d6", **line)
    draw.line((160, 160, 240, 160), fill="#26344d", width=8)
    draw.rounded_rectangle((90, 200, 310, 330), 24, fill="#f2a541", **line)
    for x in (120, 236):
        draw.rectangle((x, 330, x + 44, 385), fill="#5fb3b3", **line)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def show_mask(page: Page) -> None:
    """A mask that is painted over a picture."""
    set_detail(page, "seed", 5)
    create(page, "a lion to the left of a tree in a meadow")
    page.click("text=Change a part")
    page.wait_for_selector("studio-mask canvas")
    page.wait_for_timeout(600)
    drag(page, "studio-mask canvas", (0.55, 0.25), (0.9, 0.3), (0.55, 0.45), (0.9, 0.5))
    shoot(page, "mask")


def show_layout(page: Page) -> None:
    """Two boxes for what the prompt names, in the dark."""
    set_detail(page, "seed", 5)
    open_section(page, "Layout")
    for box in (((0.08, 0.35), (0.5, 0.95)), ((0.6, 0.06), (0.95, 0.4))):
        drag(page, "studio-layout .sheet", *box)
    create(page, "an owl and a snail in a meadow")
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "layout")


def show_compare(page: Page) -> None:
    """A table of guidance and steps."""
    set_detail(page, "seed", 7)
    page.fill(".prompt-bar textarea", "a sunflower in a meadow")
    page.get_by_role("button", name="Compare").click()
    page.get_by_label("Across: values").fill("5, 10, 20")
    page.get_by_label("Down: values").fill("1, 3, 6")
    page.locator("dialog.compare .primary").click()
    page.wait_for_function("() => document.querySelectorAll('.compare td button').length === 9")
    shoot(page, "compare")


def show_phone(page: Page) -> None:
    """A picture at the width of a telephone."""
    set_detail(page, "seed", 5)
    create(page, "a penguin to the right of a palm tree on the beach")
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "phone")


def main() -> None:
    """Take all of them."""
    shots: list[tuple[Callable[[Page], None], dict[str, object]]] = [
        (show_page, {}),
        (show_references, {}),
        (show_mask, {}),
        (show_layout, {"color_scheme": "dark"}),
        (show_compare, {}),
        (show_phone, {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5}),
    ]
    with (
        TemporaryDirectory() as folder,
        running_studio(Path(folder), models=["scenes"]) as url,
        sync_playwright() as p,
    ):
        options = {"executable_path": shutil.which("chromium"), "args": ["--no-sandbox"]}
        browser: Browser = p.chromium.launch(**options)
        for show, context in shots:
            viewport = {"width": SIZE[0], "height": SIZE[1]}
            page = browser.new_context(**{"viewport": viewport, **context}).new_page()
            page.goto(url)
            page.wait_for_selector(".prompt-bar")
            show(page)
        browser.close()


if __name__ == "__main__":
    main()
