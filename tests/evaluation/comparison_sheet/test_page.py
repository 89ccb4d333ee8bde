"""The page as text, and in a browser: a person votes by keys, by mouse, and sees the result."""

import base64
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from latelier.contracts.measures import Figure
from latelier.evaluation.comparison_sheet.page import make_page
from latelier.evaluation.comparison_sheet.votes import read_votes
from latelier.evaluation.report.results import MeasuredFigure, Results
from latelier.metrics.wilson import wilson_interval

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parents[3] / "plugins/latelier-studio/node_modules/axe-core/axe.min.js"

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
NETWORK = "a network of scenes"


def results_of(model: str, *ends: float) -> Results:
    figure = Figure("inception_score", "Inception Score", 24.1, "higher", *ends)
    return Results(model, model, 4, [MeasuredFigure("inception_score", figure, NETWORK)])


RESULTS = (results_of("the red model", 23.9, 24.3), results_of("the blue model"))


def test_nothing_shows_who_is_who_before_the_end(comparison):
    page = make_page(comparison, RESULTS)
    for hidden in ("the red model", "the blue model", "Inception Score", "24.1", NETWORK):
        assert hidden not in page


def test_nothing_is_loaded_from_elsewhere(comparison):
    page = make_page(comparison)
    assert re.findall(r"""(?:src|href)=["'](?!data:)""", page) == []
    assert "://" not in page
    assert "default-src 'none'" in page


def test_a_prompt_cannot_end_the_script(comparison):
    page = make_page(comparison)
    assert "<b>bold" not in page
    assert page.count("</script>") == 2


def test_each_picture_is_on_its_side_and_says_nothing_of_its_origin(comparison):
    first = comparison.sides[0].pictures[0]
    first.info["latelier"] = "the red model"
    page = make_page(comparison)
    (data,) = re.findall(r'type="application/json">\s*(.*?)\s*</script>', page, re.DOTALL)
    for pair, left in zip(json.loads(data)["pairs"], comparison.left, strict=True):
        for source, side in ((pair["left"], left), (pair["right"], 1 - left)):
            stored = base64.b64decode(source.partition("base64,")[2])
            assert b"model" not in stored
            shown = Image.open(io.BytesIO(stored)).convert("RGB")
            assert shown.getpixel((0, 0)) == comparison.sides[side].pictures[0].getpixel((0, 0))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def open_page(browser, comparison, tmp_path) -> Iterator[Callable[..., Any]]:
    """Open the page. A message on the console, or a request for another file, is a failure."""
    faults: list[str] = []
    file = tmp_path / "comparison.html"
    file.write_text(make_page(comparison, RESULTS), encoding="utf-8")
    contexts = []

    def open_it(width: int = 1280, height: int = 860, theme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda sent: sent.url == file.as_uri() or check(sent.url))
        page.goto(file.as_uri())
        return page

    def check(url: str) -> None:
        if not url.startswith(("data:", "blob:")):
            faults.append(url)

    yield open_it
    for context in contexts:
        context.close()
    assert faults == []


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def key_of(comparison, pair: int, side: int) -> str:
    """Return the key that prefers a side in a pair."""
    return "ArrowLeft" if comparison.left[pair] == side else "ArrowRight"


@in_browser
def test_the_keys_vote_and_the_votes_are_counted_for_the_right_model(
    open_page, comparison, tmp_path
):
    page = open_page()
    assert page.text_content("#prompt") == "a cat"
    press(page, key_of(comparison, 0, 1), key_of(comparison, 1, 1), "ArrowDown")
    assert page.text_content("#count") == "Pair 4 of 4"
    press(page, key_of(comparison, 3, 0))
    assert page.text_content("#verdict") == "the blue model was preferred in 2 of 3 pairs"
    low, high = (f"{100 * end:.1f} %" for end in wilson_interval(2, 3))
    explanation = page.text_content("#explanation")
    assert f"66.7 %, with a 95 % interval of {low} to {high} (Wilson)." in explanation
    assert "includes 50 %" in explanation
    assert "No difference was seen in 1 of 4 pairs." in explanation
    with page.expect_download() as sent:
        page.click("text=Download the votes")
    sent.value.save_as(tmp_path / "votes.json")
    (votes,) = read_votes([tmp_path / "votes.json"])
    assert votes.models == ("the red model", "the blue model")
    assert [vote.preferred for vote in votes.votes] == [1, 1, None, 0]
    assert [(vote.prompt, vote.seed) for vote in votes.votes] == list(
        zip(comparison.prompts, comparison.seeds, strict=True)
    )
    assert [vote.left for vote in votes.votes] == comparison.left


@in_browser
def test_what_is_on_the_left_is_the_side_that_a_left_vote_prefers(open_page, comparison):
    page = open_page()
    source = page.get_attribute("[data-vote=left] img", "src")
    press(page, *["ArrowLeft"] * 4)
    shown = page.locator("#pairs li").first.locator("figure").first
    assert shown.locator("img").get_attribute("src") == source
    name = comparison.sides[comparison.left[0]].name
    assert shown.text_content() == f"{name}, preferred"


@in_browser
def test_a_key_that_is_held_votes_once(open_page):
    page = open_page()
    for _ in range(3):
        page.keyboard.down("ArrowLeft")
    assert page.text_content("#count") == "Pair 2 of 4"


@in_browser
def test_the_mouse_votes_and_goes_back(open_page):
    page = open_page()
    assert page.is_disabled("#back")
    page.click("[data-vote=left]")
    page.click("text=No difference")
    assert page.text_content("#count") == "Pair 3 of 4"
    assert page.text_content("#prompt") == "a dog"
    page.click("#back")
    assert page.text_content("#prompt") == "</script><b>bold"
    press(page, "Backspace", "Backspace")
    assert page.text_content("#count") == "Pair 1 of 4"
    press(page, "Control+ArrowLeft")
    assert page.text_content("#count") == "Pair 1 of 4"


@in_browser
def test_the_result_shows_the_measures_and_votes_can_be_changed(open_page, comparison):
    page = open_page()
    press(page, *(key_of(comparison, pair, 0) for pair in range(4)))
    assert page.evaluate("document.activeElement.id") == "verdict"
    rows = page.locator("#measures tr").all_text_contents()
    assert rows == [
        "Measurethe red modelthe blue model",
        f"Inception Score ↑{NETWORK}24.123.9 to 24.324.1",
    ]
    shown = page.evaluate(
        "['.share', '.interval'].map((each) => document.querySelector(each).style.cssText)"
    )
    assert shown[0] == "left: 100%;"
    assert re.match(r"left: 51\.\d+%; right: 0%;", shown[1])
    assert "above 50 %" in page.text_content("#explanation")
    press(page, "ArrowRight")  # counts no more
    page.click("text=Back to the pairs")
    assert page.text_content("#count") == "Pair 4 of 4"
    page.click("text=Show the result")
    assert "in 3 of 3 pairs" in page.text_content("#verdict")
    page.click("text=Start again")
    assert page.text_content("#count") == "Pair 1 of 4"


@in_browser
def test_no_preference_at_all_is_said_without_an_interval(open_page):
    page = open_page()
    press(page, *["ArrowDown"] * 4)
    assert page.text_content("#verdict") == "No picture was preferred"
    assert page.is_hidden(".scale")


@in_browser
def test_votes_survive_a_closed_page(open_page):
    page = open_page()
    press(page, "ArrowLeft", "ArrowLeft")
    page.reload()
    assert page.text_content("#count") == "Pair 3 of 4"


@in_browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_accessible_and_fits(open_page, theme, width):
    page = open_page(width, 844, theme)
    checks = AXE.read_text() if AXE.is_file() else ""
    for keys in (["ArrowLeft"], ["ArrowLeft", "ArrowRight", "ArrowDown"]):
        press(page, *keys)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if checks:
            page.evaluate(checks)
            found = page.evaluate("axe.run()")["violations"]
            assert [json.dumps(each) for each in found] == []
    page = open_page(width, 844, theme)
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
