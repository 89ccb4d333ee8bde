"""What is in use besides the prompt: it is told below it, found in the form, and cleared."""

import pytest
from running import create, drag, drop, is_in_view, open_section, png, use_model

sync_api = pytest.importorskip("playwright.sync_api")

START = "[data-field=init_image] studio-image"
CHIPS = ".use-name"


def clear(page, text: str) -> None:
    """Press the cross of a chip."""
    page.get_by_role("button", name=f"Clear “{text}”").click()


def fill_detail(page, name: str, value: int) -> None:
    """Set a number below Details, which is folded away before and after."""
    open_section(page, "Details")
    page.locator(f"[data-field={name}] input[type=number]").first.fill(str(value))
    open_section(page, "Details")


@pytest.mark.parametrize("width", [1280, 390])
def test_what_is_used_besides_the_prompt_is_told_below_it_and_cleared_there(open_page, width):
    page = open_page(width)
    chips = page.locator(CHIPS)
    sync_api.expect(page.locator(".in-use")).to_be_hidden()
    fill_detail(page, "seed", 42)
    open_section(page, "Start from a picture")
    drop(page, png((64, 64), "teal"), START)
    page.locator(".panel label", has_text="Change a part").click()
    open_section(page, "Start from a picture")
    sync_api.expect(chips).to_have_text(
        ["Starts from a picture", "Changes only a part", "A fixed seed 42"]
    )
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert is_in_view(page, CHIPS)
    clear(page, "Changes only a part")
    assert page.locator("[type=radio][value=whole]").is_checked()
    assert page.evaluate("document.activeElement.ariaLabel") == "Clear “A fixed seed 42”"
    clear(page, "Starts from a picture")
    with page.expect_request("**/api/jobs") as sent:
        create(page, "a cat")
    assert sent.value.post_data_json["seed"] == 42
    assert not {"init_image", "mask"} & sent.value.post_data_json.keys()
    clear(page, "A fixed seed 42")
    sync_api.expect(page.locator(".in-use")).to_be_hidden()
    assert page.evaluate("document.activeElement.localName") == "textarea"
    with page.expect_request("**/api/jobs") as sent:
        create(page)
    assert "seed" not in sent.value.post_data_json


def test_the_name_of_what_is_used_leads_to_its_place_in_the_form(open_page):
    page = open_page()
    fill_detail(page, "seed", 42)
    open_section(page, "Start from a picture")
    drop(page, png((64, 64), "teal"), START)
    open_section(page, "Start from a picture")
    for text, place in (
        ("Starts from a picture", START),
        ("A fixed seed 42", "[data-field=seed] input[type=number]"),
    ):
        sync_api.expect(page.locator(place)).to_be_hidden()
        page.evaluate("scrollTo(0, 0)")
        page.locator(CHIPS, has_text=text).click()
        sync_api.expect(page.locator(place)).to_be_in_viewport()
        section = page.locator(place).locator("xpath=ancestor::details[last()]")
        assert section.evaluate("each => each.contains(document.activeElement)")


def test_boxes_maps_drawings_and_numbers_are_called_so(open_page):
    page = open_page()
    use_model(page, "scenes")
    for name in ("Reference", "Layout", "Semantic map"):
        open_section(page, name)
    drop(page, png((64, 64), "white", (8, 8, 9, 9)), "studio-references")
    drag(page, "studio-layout .sheet", (0.1, 0.1), (0.45, 0.6))
    drag(page, "studio-map canvas", (0.1, 0.1), (0.45, 0.6))
    fill_detail(page, "steps", 30)
    chips = page.locator(CHIPS)
    sync_api.expect(chips).to_have_text(["A drawing", "A box", "A painted map", "30 steps"])
    drag(page, "studio-layout .sheet", (0.55, 0.1), (0.9, 0.6))
    sync_api.expect(chips.nth(1)).to_have_text("2 boxes")
    for text in ("A drawing", "2 boxes", "A painted map"):
        clear(page, text)
    sync_api.expect(page.locator(".mark:visible")).to_have_count(1)
    with page.expect_request("**/api/jobs") as sent:
        create(page, "a cat")
    assert list(sent.value.post_data_json["inputs"]) == ["prompt"]


def test_defaults_of_the_model_are_not_told(open_page):
    page = open_page()
    create(page, "a green frog")
    page.click(".frame-button")
    page.get_by_role("button", name="Use its settings").click()
    page.locator(".notice-good").wait_for()
    seed = page.locator(".seed output").inner_text()
    sync_api.expect(page.locator(CHIPS)).to_have_text([f"A fixed seed {seed}"])


def test_a_size_that_is_cleared_is_that_of_the_map_again(open_page):
    page = open_page()
    use_model(page, "sketchbook")
    open_section(page, "Map")
    open_section(page, "Details")
    page.locator("[data-field=size] input").first.fill("64")
    page.wait_for_selector('studio-map canvas[width="64"]')
    clear(page, "Size 64 × 64")
    page.wait_for_selector('studio-map canvas[width="96"]')
