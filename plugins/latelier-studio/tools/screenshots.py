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

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from running import create, drag, open_section, running_studio, use_model  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SIZE = (1280, 860)
QUALITY = 82


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
    for prompt in ("a red heart", "a penguin on the beach", "a green frog", "a cat in a meadow"):
        create(page, prompt)
    page.locator(".count label", has_text="4").click()
    create(page, "a sunflower on a blue background")
    page.locator(".grid li").nth(7).wait_for()
    shoot(page, "page", height=1220)


def show_mask(page: Page) -> None:
    """A mask that is painted over a picture."""
    create(page, "a sunflower on a blue background")
    page.click("text=Change a part")
    page.wait_for_selector("studio-mask canvas")
    page.wait_for_timeout(600)
    drag(page, "studio-mask canvas", (0.3, 0.35), (0.65, 0.4))
    shoot(page, "mask")


def show_layout(page: Page) -> None:
    """Two boxes with labels, in the dark."""
    if not page.locator("[data-input=layout]").count():
        use_model(page, "sketchbook")
    open_section(page, "Layout")
    for index, (box, label) in enumerate(
        [(((0.08, 0.35), (0.45, 0.9)), "cat"), (((0.6, 0.08), (0.92, 0.5)), "sun")]
    ):
        drag(page, "studio-layout .sheet", *box)
        choice = page.locator("studio-layout .row select, studio-layout .row input[list]").nth(
            index
        )
        if choice.evaluate("each => each.localName") == "select":
            choice.select_option(label)
        else:
            choice.fill(label)
    shoot(page, "layout")


def show_compare(page: Page) -> None:
    """A table of guidance and steps."""
    set_detail(page, "seed", 7)
    page.fill(".prompt-bar textarea", "a sunflower on a blue background")
    page.get_by_role("button", name="Compare").click()
    page.get_by_label("Across: values").fill("5, 10, 20")
    page.get_by_label("Down: values").fill("1, 3, 6")
    page.locator("dialog.compare .primary").click()
    page.wait_for_function("() => document.querySelectorAll('.compare td button').length === 9")
    shoot(page, "compare")


def show_phone(page: Page) -> None:
    """A picture at the width of a telephone."""
    create(page, "a penguin on a blue background")
    shoot(page, "phone")


def main() -> None:
    """Take all of them."""
    shots: list[tuple[Callable[[Page], None], dict[str, object]]] = [
        (show_page, {}),
        (show_mask, {}),
        (show_layout, {"color_scheme": "dark"}),
        (show_compare, {}),
        (show_phone, {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5}),
    ]
    with (
        TemporaryDirectory() as folder,
        running_studio(Path(folder)) as url,
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
