"""A studio in a process of its own, and how a person's hands move on its page."""

import base64
import io
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from sketchbook import save_model

PLUGINS = Path(__file__).parents[2]


@contextmanager
def running_studio(
    folder: Path, *sites: Path, models: Sequence[str] = ("emoji-scenes", "scenes")
) -> Iterator[str]:
    """Give the URL of a studio with embedded models and one with all kinds of inputs.

    Args:
        folder: of the gallery and the last model.
        sites: where further plugins are installed.
        models: embedded ones, the default first.
    """
    save_model(folder / "sketchbook")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = [PLUGINS / "latelier-studio", PLUGINS / "latelier-server", *sites]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, places)),
        "OMP_NUM_THREADS": "1",
    }
    code = "import typer; from latelier_studio.command import studio; typer.run(studio)"
    arguments = [*models, str(folder / "sketchbook"), "--port", str(port), "--no-browser"]
    arguments += ["--gallery", str(folder / "gallery"), "--precision", "float32"]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment)
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_until_ready(process, f"{url}ready")
        yield url
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until a server has loaded its first model."""
    for _ in range(600):
        if process.poll() is not None:
            raise AssertionError("the studio has ended")
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError("the studio does not become ready")


def create(page, prompt: str = "") -> None:
    """Press the button, and wait for the picture."""
    if prompt:
        page.fill(".prompt-bar textarea", prompt)
    page.click("text=Create")
    page.wait_for_selector(".is-cancel")
    page.wait_for_selector(".prompt-bar .primary:not(.is-cancel)")
    page.wait_for_selector(".frame-button")


def start_long_run(page) -> None:
    """Press the button for as many steps as there may be, and wait for the first preview."""
    open_section(page, "Details")
    page.locator("[data-field=steps] input[type=number]").fill("200")
    page.fill(".prompt-bar textarea", "a cat")
    page.click("text=Create")
    page.wait_for_selector("img.preview")


def open_section(page, name: str) -> None:
    """Open or close a part of the form."""
    page.locator(".section > summary", has_text=name).first.click()


def drag(page, selector: str, *places: tuple[float, float]) -> None:
    """Move the pressed mouse over an element, between places in 0..1."""
    target = page.locator(selector)
    target.scroll_into_view_if_needed()
    rect = target.bounding_box()
    points = [(rect["x"] + rect["width"] * x, rect["y"] + rect["height"] * y) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=5)
    page.mouse.up()


def use_model(page, name: str) -> None:
    """Choose a model, and wait for its form."""
    page.select_option("select[aria-label=Model]", name)
    page.wait_for_selector("[data-input=layout]")


def drop(page, data: bytes, on: str = "body", kind: str = "image/png") -> None:
    """Drop a file on an element."""
    page.evaluate(
        """([text, on, type]) => {
            const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "a", { type }));
            const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
            for (const name of ["dragenter", "dragover", "drop"])
                document.querySelector(on).dispatchEvent(new DragEvent(name, options));
        }""",
        [base64.b64encode(data).decode(), on, kind],
    )


def to_uri(data: bytes) -> str:
    """Return a PNG as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def png(size: tuple[int, int], color: str, box: tuple[int, int, int, int] | None = None) -> bytes:
    """Return a picture of one colour, with a white box."""
    image = Image.new("RGB", size, color)
    if box:
        image.paste("white", box)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def is_in_view(page, selector: str) -> bool:
    """Return whether all of an element is on the screen, with nothing over its middle."""
    return page.evaluate(
        """(selector) => {
            const element = document.querySelector(selector);
            const { left, top, right, bottom } = element.getBoundingClientRect();
            const over = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
            return top >= 0 && bottom <= innerHeight && element.contains(over);
        }""",
        selector,
    )


def values_of(page, selector: str) -> list[int]:
    """Return the grey values of the picture that a widget has made."""
    return page.evaluate(
        """async (selector) => {
            const image = new Image();
            image.src = document.querySelector(selector).value;
            await image.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.width, image.height];
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            const data = context.getImageData(0, 0, image.width, image.height).data;
            return [...data].filter((_, index) => index % 4 === 0);
        }""",
        selector,
    )
