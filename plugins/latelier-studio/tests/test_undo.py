"""A form that the settings of a picture replace comes back."""

import pytest
from running import create, drag, drop, open_section, use_model, values_of

sync_api = pytest.importorskip("playwright.sync_api")

MAP = "document.querySelector('studio-map').value"
UNDO = ".notice button:has-text('Undo')"


def read_picture(page) -> bytes:
    """Return the bytes of the picture that is shown."""
    source = page.locator(".frame-button img").get_attribute("src")
    return page.request.get(page.url.rstrip("/") + source).body()


def fill_form(page) -> None:
    """Give a value to the prompt, the boxes, the map, the number of pictures and two details."""
    use_model(page, "sketchbook")
    page.fill(".prompt-bar textarea", "a house on the sand")
    open_section(page, "Layout")
    drag(page, "studio-layout .sheet", (0.1, 0.1), (0.45, 0.6))
    page.locator("studio-layout select").first.select_option("house")
    open_section(page, "Map")
    drag(page, "studio-map canvas", (0.1, 0.8), (0.9, 0.8))
    open_section(page, "Details")
    page.locator("[data-field=seed] input[type=number]").fill("42")
    page.locator("[data-field=negative] textarea").fill("a cat")
    page.locator(".count label", has_text="4").click()


def test_undo_after_a_drop_brings_the_form_and_its_model_back(open_page):
    page = open_page()
    create(page, "a blue fish")
    data = read_picture(page)
    fill_form(page)
    painted = page.evaluate(MAP)
    drop(page, data)
    page.wait_for_selector("text=/It can be made again/")
    assert page.input_value(".prompt-bar textarea") == "a blue fish"
    assert page.locator("studio-map").count() == 0
    page.click(UNDO)
    page.wait_for_selector("text=The form is as it was before.")
    assert page.input_value("select[aria-label=Model]") == "sketchbook"
    assert page.evaluate("document.activeElement.localName") == "textarea"
    assert page.input_value(".prompt-bar textarea") == "a house on the sand"
    assert page.evaluate(MAP) == painted
    with page.expect_request("**/api/jobs") as sent:
        create(page)
    request = sent.value.post_data_json
    assert (request["seed"], request["n"]) == (42, 4)
    assert request["negative"] == {"prompt": "a cat"}
    assert set(request["inputs"]) == {"prompt", "layout", "map"}


def test_names_in_the_prompt_are_not_spelled_out_by_undo(open_page):
    page = open_page()
    use_model(page, "scenes")
    create(page, "a cat in a meadow")
    page.fill(".prompt-bar textarea", "#1 on the beach")
    open_section(page, "Reference")
    page.get_by_label("Add a drawing by its name").fill("owl")
    page.locator(".suggestions li").first.wait_for()
    page.keyboard.press("Enter")
    page.click(".frame-button")
    page.get_by_role("button", name="Use its settings").click()
    sync_api.expect(page.locator(".drawing")).to_have_count(0)
    page.click(UNDO)
    sync_api.expect(page.locator(".drawing-name")).to_have_text(["owl"])
    assert page.input_value(".prompt-bar textarea") == "#1 on the beach"


def test_an_opened_picture_is_not_judged_any_more_after_undo(open_page):
    page = open_page()
    create(page, "a blue fish")
    data = read_picture(page)
    held = []

    def hold(route) -> None:
        held.append(route)

    page.route("**/api/replay", hold)
    drop(page, data)
    page.wait_for_selector("text=The settings are back.")
    page.click(UNDO)
    page.wait_for_selector("text=The form is as it was before.")
    with page.expect_response("**/api/replay"):
        held[0].continue_()
    for _ in range(300):
        jobs = page.request.get(f"{page.url}api/jobs").json()["jobs"]
        if all(job["state"] == "succeeded" for job in jobs):
            break
        page.wait_for_timeout(100)
    page.wait_for_timeout(500)  # for a verdict that should not come
    assert "The form is as it was before." in page.locator(".notice").inner_text()
    page.click(".notice [aria-label=Close]")
    sync_api.expect(page.locator(".notice")).to_be_hidden()


def test_undo_brings_the_picture_to_start_from_and_its_mask_back(open_page):
    page = open_page()
    create(page, "a blue fish")
    data = read_picture(page)
    page.click(".stage-actions >> text=Change a part")
    page.wait_for_selector("studio-mask canvas")
    drag(page, "studio-mask canvas", (0.3, 0.5), (0.6, 0.5))
    painted = values_of(page, "studio-mask")
    drop(page, data)
    page.wait_for_selector("text=/It can be made again/")
    sync_api.expect(page.locator(".use-name", has_text="Starts from")).to_have_count(0)
    page.click(UNDO)
    page.wait_for_selector("studio-mask [aria-label=Undo]:enabled")
    assert values_of(page, "studio-mask") == painted
    with page.expect_request("**/api/jobs") as sent:
        create(page)
    assert {"init_image", "mask"} <= sent.value.post_data_json.keys()
