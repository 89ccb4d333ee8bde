"""A studio in a process of its own, and a browser."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from running import PLUGINS, running_studio

PATIENCE = 60_000  # milliseconds: the machine may be busy


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """Where latelier-palette is installed, whose widget the page loads."""
    target = tmp_path_factory.mktemp("site")
    options = [
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--target",
        str(target),
    ]
    source = PLUGINS / "latelier-palette"
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True)
    return target


@pytest.fixture(scope="session")
def studio(tmp_path_factory, site) -> Iterator[str]:
    """The URL of a studio with the embedded models and one with all kinds of inputs."""
    with running_studio(tmp_path_factory.mktemp("studio"), site) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """A browser; tests that need one are skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    sync_api.expect.set_options(timeout=PATIENCE)
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def open_page(browser, studio) -> Iterator[Callable[..., object]]:
    """Open the studio. A message on the console, unless of one of the `answers`, is a failure."""
    faults: list[str] = []
    contexts = []

    def open_it(
        width: int = 1280, height: int = 860, theme: str = "light", answers: Sequence[int] = ()
    ) -> object:
        def note(message: Any) -> None:
            if not any(f"status of {status} " in message.text for status in answers):
                faults.append(message.text)

        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, has_touch=width < 500
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", note)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(studio)
        page.wait_for_selector(".prompt-bar")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert faults == []
