"""The page in a real browser: the whole path of a person who makes pictures."""

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image
from running import (
    create,
    drag,
    drop,
    is_in_view,
    open_section,
    png,
    start_long_run,
    to_uri,
    use_model,
    values_of,
)

sync_api = pytest.importorskip("playwright.sync_api")
AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"

CHANGE_A_PART = ".panel label:has-text('Change a part')"
MODEL = "select[aria-label=Model]"
NO_PICTURE = "This file is no picture that can be read: PNG, JPEG or WebP."


def read_png(source: str) -> Image.Image:
    """Return the picture of a data URI."""
    return Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB")


def pinch(page, selector: str, *, apart: tuple[float, float], move: float = 0) -> None:
    """Put two fingers on an element, move them apart and both to the right; shares of its width."""
    target = page.locator(selector)
    target.scroll_into_view_if_needed()
    rect = target.bounding_box()
    middle = rect["x"] + rect["width"] / 2
    y = rect["y"] + rect["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind: str, distance: float, shift: float = 0, fingers: int = 2) -> None:
        half, x = rect["width"] * distance / 2, middle + rect["width"] * shift
        points = [{"x": x - half, "y": y, "id": 0}, {"x": x + half, "y": y, "id": 1}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points[:fingers]})

    start, end = apart
    touch("touchStart", start, fingers=1)
    touch("touchStart", start)
    for share in (0.25, 0.5, 0.75, 1):
        touch("touchMove", start + (end - start) * share, move * share)
    touch("touchEnd", end, move, fingers=0)


def test_a_prompt_becomes_pictures_with_seeds_and_previews(open_page):
    page = open_page()
    page.evaluate(
        """() => new MutationObserver(() => {
            if (document.querySelector("img.preview")) window.hasPreview = true;
        }).observe(document.body, { childList: true, subtree: true })"""
    )
    page.locator(".count label", has_text="2").click()
    create(page, "a red apple")
    assert page.evaluate("window.hasPreview")
    seeds = [int(text) for text in page.locator(".strip span").all_inner_texts()]
    assert seeds[1] == seeds[0] + 1
    page.locator(".grid li").nth(1).wait_for()


def test_cancel_stops_the_job(open_page):
    page = open_page()
    start_long_run(page)
    page.click("text=Cancel")
    page.wait_for_selector("text=Cancelled.")


def test_pressing_the_button_twice_makes_one_picture(open_page):
    page = open_page()
    sent = []

    def hold(route):
        if route.request.method == "POST":
            sent.append(route)
        else:
            route.continue_()

    page.route("**/api/jobs", hold)
    page.fill(".prompt-bar textarea", "a cat")
    for _ in range(3):
        page.click("text=Create")
    page.wait_for_timeout(200)  # for requests that should not come
    [only] = sent
    only.continue_()
    page.wait_for_selector(".frame-button")


def test_boxes_and_a_map_reach_the_model(open_page):
    page = open_page()
    use_model(page, "sketchbook")
    open_section(page, "Layout")
    drag(page, "studio-layout .sheet", (0.1, 0.1), (0.45, 0.6))
    label = page.locator("studio-layout select").first
    assert label.locator("option").first.inner_text() == "Choose …"
    label.select_option("cat")
    drag(page, "studio-layout .sheet", (0.55, 0.3), (0.9, 0.9))
    page.locator("studio-layout select").nth(1).select_option("sun")
    objects = page.evaluate("document.querySelector('studio-layout').value")
    assert [each["label"] for each in objects] == ["cat", "sun"]
    assert objects[0]["box"] == pytest.approx([0.1, 0.1, 0.45, 0.6], abs=0.01)
    page.locator(".box").first.press("ArrowRight")
    moved = page.evaluate("document.querySelector('studio-layout').value[0].box")
    assert moved[0] == pytest.approx(objects[0]["box"][0] + 0.02)

    open_section(page, "Map")
    hint = page.locator("studio-map .sheet-hint")
    assert hint.inner_text() == "Choose above, and paint here"
    page.locator("studio-map label", has_text="Sand").click()
    drag(page, "studio-map canvas", (0.1, 0.8), (0.9, 0.8))
    sync_api.expect(hint).to_be_hidden()
    labels = values_of(page, "studio-map")
    assert len(labels) == 96 * 64
    assert set(labels) == {0, 2}
    open_section(page, "Details")
    page.locator("[data-field=size] input").first.fill("64")
    page.wait_for_selector('studio-map canvas[width="64"]')
    labels = values_of(page, "studio-map")
    assert len(labels) == 64 * 64
    assert set(labels) == {0, 2}
    with page.expect_request("**/api/jobs") as sent:
        create(page, "a cat on the sand")
    assert set(sent.value.post_data_json["inputs"]) == {"prompt", "layout", "map"}


def test_a_mask_is_painted_undone_and_inverted_at_the_size_of_the_picture(open_page):
    page = open_page()
    create(page, "a red apple")
    page.click("text=Change a part")
    page.wait_for_selector("studio-mask canvas")
    drag(page, "studio-mask canvas", (0.2, 0.2), (0.4, 0.2))
    first = values_of(page, "studio-mask")
    assert len(first) == 64 * 64
    assert set(first) == {0, 255}
    drag(page, "studio-mask canvas", (0.6, 0.8), (0.8, 0.8))
    second = values_of(page, "studio-mask")
    assert second.count(255) > first.count(255)
    page.locator("studio-mask canvas").press("Control+z")
    assert values_of(page, "studio-mask") == first
    page.locator("studio-mask canvas").press("Control+Shift+Z")
    assert values_of(page, "studio-mask") == second
    page.get_by_role("button", name="Invert").click()
    assert values_of(page, "studio-mask") == [255 - each for each in second]
    page.get_by_role("button", name="Undo").click()
    with page.expect_request("**/api/jobs") as sent:
        create(page)
    assert {"init_image", "mask"} <= sent.value.post_data_json.keys()


def test_a_picture_dropped_on_the_mask_is_the_mask_or_the_picture_under_it(open_page):
    """In an input with a picture and a mask of its own, as a plugin may have one."""
    page = open_page()

    def show_input(route) -> None:
        route.fulfill(json={**route.fetch().json(), "inpainting": []})

    page.route("**/api/models/sketchbook", show_input)
    use_model(page, "sketchbook")
    open_section(page, "Inpainting")
    mask = "[data-input=inpainting] studio-mask"
    assert "drop one here" in page.locator(mask).inner_text()
    drop(page, png((96, 64), "#204060"), mask)
    page.wait_for_selector(f"{mask} canvas")
    assert "drop a black and white picture" in page.locator(mask).inner_text()
    drop(page, png((48, 32), "black", (8, 8, 16, 24)), mask)
    page.wait_for_selector(f"{mask} [aria-label=Undo]:not([disabled])")
    values = values_of(page, mask)
    assert len(values) == 96 * 64
    assert values.count(255) == 16 * 32
    assert set(values) == {0, 255}
    page.locator(f"{mask} canvas").press("Control+z")
    assert page.evaluate(f"document.querySelector('{mask}').value") is None
    drag(page, f"{mask} canvas", (0.2, 0.2), (0.4, 0.2))
    drop(page, png((64, 64), "#802020"), mask)
    page.wait_for_selector(f'{mask} canvas[width="64"]')
    assert page.evaluate(f"document.querySelector('{mask}').value") is None
    drag(page, f"{mask} canvas", (0.2, 0.2), (0.4, 0.2))
    assert len(values_of(page, mask)) == 64 * 64
    drop(page, b"GIF89a", mask, "image/gif")
    page.wait_for_selector(f"{mask} >> text={NO_PICTURE}")


def test_a_black_and_white_picture_is_no_mask_where_there_is_nothing_to_mask(open_page):
    page = open_page()
    open_section(page, "Start from a picture")
    drop(page, png((64, 64), "black"), "[data-field=init_image] studio-image")
    page.click(CHANGE_A_PART)
    page.wait_for_selector("[data-field=mask] canvas")
    drop(page, png((32, 32), "#204060"), "[data-field=mask] studio-mask")
    page.wait_for_selector('[data-field=mask] canvas[width="32"]')
    chosen = page.evaluate("document.querySelector('[data-field=init_image] studio-image').value")
    assert chosen == page.evaluate("document.querySelector('[data-field] studio-mask').picture")


def test_two_fingers_zoom_and_move_and_do_not_paint(open_page):
    page = open_page(390)
    use_model(page, "sketchbook")
    open_section(page, "Map")
    canvas = "studio-map canvas"
    width = page.locator(canvas).bounding_box()["width"]

    def middle() -> float:
        """Return where on the surface the middle of the view is, 0 to 1."""
        rect, view = (page.locator(each).bounding_box() for each in (canvas, "studio-map .view"))
        return (view["x"] + view["width"] / 2 - rect["x"]) / rect["width"]

    pinch(page, canvas, apart=(0.2, 0.5))
    assert page.locator(canvas).bounding_box()["width"] == pytest.approx(2.5 * width, rel=0.02)
    assert middle() == pytest.approx(0.5, abs=0.02)
    pinch(page, "studio-map .view", apart=(0.4, 0.4), move=0.25)
    assert middle() == pytest.approx(0.5 - 0.25 / 2.5, abs=0.02)
    assert page.evaluate("document.querySelector('studio-map').value") is None
    page.get_by_role("button", name="Zoom out").click()
    assert page.locator(canvas).bounding_box()["width"] == pytest.approx(2 * width, rel=0.02)
    pinch(page, "studio-map .view", apart=(0.6, 0.1))
    assert page.locator(canvas).bounding_box()["width"] == pytest.approx(width, rel=0.02)

    open_section(page, "Layout")
    pinch(page, "studio-layout .sheet", apart=(0.2, 0.4))
    sheet = page.locator("studio-layout .sheet").bounding_box()
    view = page.locator("studio-layout .view").bounding_box()
    assert sheet["width"] == pytest.approx(2 * view["width"], rel=0.02)
    assert page.evaluate("document.querySelector('studio-layout').value") is None
    page.touchscreen.tap(view["x"] + 40, view["y"] + 40)
    drag(page, "studio-layout .view", (0.25, 0.25), (0.75, 0.75))
    [item] = page.evaluate("document.querySelector('studio-layout').value")
    assert item["box"][2] - item["box"][0] == pytest.approx(0.25, abs=0.02)


def test_ideas_are_things_that_the_model_can_draw(open_page):
    page = open_page()
    use_model(page, "sketchbook")
    ideas = page.locator(".idea")
    assert set(ideas.all_inner_texts()) == {"cat", "dog", "sun", "house"}
    page.fill(".prompt-bar textarea", "a tree")
    ideas.first.click()
    name = ideas.first.inner_text()
    assert page.input_value(".prompt-bar textarea") == f"a tree, {name}"


def test_an_empty_form_suggests_to_say_what_to_draw_and_makes_a_picture(open_page):
    page = open_page()
    hint = page.locator(".prompt-bar > .hint")
    sync_api.expect(hint).to_be_hidden()
    create(page)
    sync_api.expect(hint).to_have_text(re.compile("use one of the ideas below.$"))
    page.locator(".idea").first.click()
    sync_api.expect(hint).to_be_hidden()
    create(page)
    sync_api.expect(hint).to_be_hidden()
    page.fill(".prompt-bar textarea", "")
    page.click(".stage-actions >> text=Vary")
    page.wait_for_selector(".use-name")
    create(page)  # there is a picture to start from
    sync_api.expect(hint).to_be_hidden()


def test_a_dropped_picture_gives_its_settings_and_a_verdict(open_page):
    page = open_page()
    create(page, "a blue fish")
    url = page.locator(".frame-button img").get_attribute("src")
    seed = page.locator(".seed output").inner_text()
    data = page.request.get(page.url.rstrip("/") + url).body()
    page.locator(".count label", has_text="2").click()
    create(page, "something else")
    page.locator(".strip img").nth(1).wait_for()
    drop(page, data)
    page.wait_for_selector("text=/It can be made again/")
    shown = page.locator(".frame img").get_attribute("src")
    assert shown == to_uri(data)
    assert page.locator(".strip img").count() == 0
    assert page.input_value(".prompt-bar textarea") == "a blue fish"
    assert page.locator("[data-field=seed] input[type=number]").input_value() == seed
    assert page.locator("[data-field=sampler] select").input_value() == "dpmpp_2m"
    assert (
        page.evaluate("document.querySelector('[data-field=guidance] studio-named').value") is None
    )


def test_one_of_several_pictures_is_told_from_a_picture_alone(open_page):
    page = open_page()
    page.locator(".count label", has_text="2").click()
    create(page, "a blue fish")
    page.locator(".strip img").nth(1).wait_for()
    url = page.locator(".strip img").nth(1).get_attribute("src")
    drop(page, page.request.get(page.url.rstrip("/") + url).body())
    page.wait_for_selector("text=/It can be made again/")
    assert "It was one of 2 made at once" in page.locator(".notice").inner_text()


def test_a_picture_that_was_opened_can_be_varied_and_its_verdict_goes_with_it(open_page):
    page = open_page()
    create(page, "a blue fish")
    url = page.locator(".frame-button img").get_attribute("src")
    drop(page, page.request.get(page.url.rstrip("/") + url).body())
    page.wait_for_selector("text=/It can be made again/")
    page.click(".stage-actions >> text=Vary")
    with page.expect_request("**/api/jobs") as sent:
        create(page)
    assert sent.value.post_data_json["init_image"]
    assert not page.locator(".notice").is_visible()


def test_a_photo_from_elsewhere_is_shown_and_started_from_at_the_size_of_the_form(open_page):
    page = open_page(answers=[400])
    create(page, "a blue fish")
    drop(page, png((800, 600), "#204060", (100, 0, 700, 600)))
    page.wait_for_selector("text=This picture has no settings.")
    assert page.locator(".frame img").get_attribute("src").startswith("data:image/png")
    assert page.locator(".seed").count() == 0
    page.get_by_role("button", name="Start from it").click()
    thumbnail = page.locator("[data-field=init_image] img").bounding_box()
    assert thumbnail["width"] == pytest.approx(thumbnail["height"])
    page.click(CHANGE_A_PART)
    page.wait_for_selector("[data-field=mask] canvas")
    drag(page, "[data-field=mask] canvas", (0.02, 0.02), (0.3, 0.02))
    with page.expect_request("**/api/jobs") as sent:
        create(page)
    request = sent.value.post_data_json
    assert request["size"] == [64, 64]
    image, mask = (read_png(request[name][0]) for name in ("init_image", "mask"))
    shown = page.evaluate("document.querySelector('[data-field=mask] studio-mask').picture")
    assert image.tobytes() == read_png(shown).tobytes()  # what is painted over is what is used
    assert image.size == mask.size == (64, 64)
    assert image.getcolors() == [(64 * 64, (255, 255, 255))]  # the sides are cut off
    assert mask.getpixel((2, 2)) == (255, 255, 255)
    assert mask.getpixel((32, 32)) == (0, 0, 0)


def test_what_is_said_of_an_opened_picture_ends_with_a_job_that_takes_its_place(open_page):
    page = open_page(answers=[400])
    start_long_run(page)
    drop(page, png((64, 64), "#204060"))
    page.wait_for_selector("text=This picture has no settings.")
    page.click("text=Cancel")
    page.wait_for_selector("text=Cancelled.")
    assert not page.locator(".notice").is_visible()


def test_a_file_that_is_no_picture_says_so(open_page):
    page = open_page()
    drop(page, b"some text", kind="text/plain")
    page.wait_for_selector(f".notice >> text={NO_PICTURE}")
    open_section(page, "Start from a picture")
    field = "[data-field=init_image] studio-image"
    drop(page, png((64, 64), "#204060"), field)
    page.wait_for_selector(f"{field} img:visible")
    chosen = page.evaluate(f"document.querySelector('{field}').value")
    drop(page, b"no pixels", field)
    page.wait_for_selector(f"{field} >> text={NO_PICTURE}")
    assert page.evaluate(f"document.querySelector('{field}').value") == chosen


def test_the_gallery_is_searched_starred_and_emptied(open_page):
    page = open_page()
    create(page, "a green frog")
    page.get_by_role("searchbox").fill("green frog")
    sync_api.expect(page.locator(".grid li")).to_have_count(1)
    page.locator(".grid button").click()
    page.get_by_role("button", name="Star", exact=True).click()
    page.wait_for_selector("dialog .star[aria-pressed=true]")
    page.keyboard.press("Escape")
    page.wait_for_selector(".badge")
    page.locator(".gallery-head .star").click()
    sync_api.expect(page.locator(".grid li")).to_have_count(1)
    page.locator(".grid button").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Really delete?").click()
    page.wait_for_selector("text=No picture is like that.")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_value_that_is_not_allowed_is_marked_and_its_message_is_in_view(open_page, width):
    page = open_page(width)
    open_section(page, "Details")
    steps = page.locator("[data-field=steps] input[type=number]")
    assert "1 to 200" in page.locator("[data-field=steps] > .hint").inner_text()
    steps.fill("99999")
    open_section(page, "Details")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.click("text=Create")
    sync_api.expect(steps).to_have_attribute("aria-invalid", "true")
    sync_api.expect(steps).to_be_in_viewport()
    text = page.locator(".prompt-bar .error").inner_text()
    assert text == "Steps: Value must be less than or equal to 200."
    assert is_in_view(page, ".prompt-bar .error")
    assert not [url for url in sent if url.endswith("/jobs")]
    page.get_by_role("button", name="Compare").click()
    sync_api.expect(page.locator("dialog.compare")).to_be_hidden()
    sync_api.expect(page.locator(".prompt-bar .error")).to_have_text(text)
    steps.fill("2")
    assert steps.get_attribute("aria-invalid") is None
    create(page, "a cat")
    assert page.locator(".prompt-bar .error").inner_text() == ""


def test_a_refusal_names_the_field_as_the_form_does(open_page):
    page = open_page(answers=[400])
    open_section(page, "Details")
    sides = page.locator("[data-field=size] input")
    sides.first.fill("4096")
    sides.last.fill("4096")
    page.click("text=Create")
    error = page.locator(".prompt-bar .error")
    sync_api.expect(error).to_have_text(re.compile("^Size: 16,777,216"))
    assert [each.get_attribute("aria-invalid") for each in sides.all()] == ["true", "true"]
    page.get_by_role("button", name="Clear", exact=True).locator("visible=true").click()
    assert sides.first.get_attribute("aria-invalid") is None
    fault = {"message": "init_image.0: is black", "field": "init_image.0", "reason": "is black"}
    page.route("**/api/jobs", lambda route: route.fulfill(status=400, json={"error": fault}))
    page.click("text=Create")
    open_section(page, "Details")
    sync_api.expect(error).to_have_text("Picture: is black")
    assert page.locator(".section[open] [data-field=init_image]").count() == 1
    assert page.locator(".section[open] [data-field=size]").count() == 0
    page.get_by_role("button", name="Compare").click()
    page.locator("dialog.compare .primary").click()
    cell = page.locator(".compare tbody td").nth(0)
    sync_api.expect(cell).to_have_text("Picture: is black")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_part_is_repainted_once_it_is_painted(open_page, width):
    page = open_page(width)
    create(page, "a red apple")
    page.click("text=Change a part")
    page.wait_for_selector("studio-mask canvas")
    sync_api.expect(page.locator("studio-mask canvas")).to_be_in_viewport()
    page.wait_for_timeout(500)  # while the page scrolls
    assert is_in_view(page, ".prompt-bar .primary")
    hint = page.locator("studio-mask .hint").inner_text()
    assert hint.startswith("What you paint over")
    marks = page.locator(".section", has_text="Details").locator(".mark")
    sync_api.expect(marks).to_be_hidden()
    page.click("text=Create")
    error = page.locator(".prompt-bar .error")
    sync_api.expect(error).to_have_text(re.compile("Nothing is painted"))
    drag(page, "studio-mask canvas", (0.3, 0.5), (0.6, 0.5))
    sync_api.expect(error).to_be_hidden()
    with page.expect_request("**/api/jobs") as sent:
        create(page)
    assert "mask" in sent.value.post_data_json
    assert error.inner_text() == ""
    page.click(".stage-actions >> text=Vary")
    with page.expect_request("**/api/jobs") as sent:
        create(page)
    assert "mask" not in sent.value.post_data_json


def test_a_model_for_inpainting_has_one_place_for_its_picture_and_mask(open_page):
    page = open_page()
    use_model(page, "sketchbook")
    assert page.locator("[data-input=inpainting]").count() == 0
    picture, mask = (to_uri(png((96, 64), "black", box)) for box in (None, (0, 0, 48, 64)))
    request = {"inputs": {"inpainting": {"image": picture, "mask": mask}}, "steps": 1}
    job = page.request.post(f"{page.url}api/jobs", data={**request, "model": "sketchbook"}).json()
    while job["state"] not in ("succeeded", "failed"):
        job = page.request.get(f"{page.url}api/jobs/{job['id']}").json()
    drop(page, page.request.get(page.url.rstrip("/") + job["pictures"][0]["url"]).body())
    page.wait_for_selector("[data-field=mask] [aria-label=Undo]:enabled", state="attached")
    with page.expect_request("**/api/jobs") as sent:
        create(page)
    again = sent.value.post_data_json
    assert again["inputs"] == {}
    found, painted = (read_png(again[name][0]) for name in ("init_image", "mask"))
    assert found.getcolors() == [(96 * 64, (0, 0, 0))]
    assert painted.getbbox() == (0, 0, 48, 64)


def test_the_size_of_a_picture_to_start_from_becomes_one_that_the_model_has(open_page):
    page = open_page()
    use_model(page, "sketchbook")
    open_section(page, "Details")
    for side in page.locator("[data-field=size] input").all():
        side.fill("82")
    create(page, "a cat")
    page.click(".frame-button")
    page.keyboard.press("Escape")
    with page.expect_response("**/api/models/emoji-scenes"):
        page.select_option(MODEL, "emoji-scenes")
    page.wait_for_selector("[data-input=layout]", state="detached")
    page.click(".stage-actions >> text=Vary")
    with page.expect_request("**/api/jobs") as sent:
        create(page)
    assert sent.value.post_data_json["size"] == [84, 84]


def test_a_picture_of_the_gallery_is_repainted_with_its_prompt(open_page):
    page = open_page()
    create(page, "a purple whale")
    page.fill(".prompt-bar textarea", "a bee")
    page.click(".frame-button")
    page.locator("dialog.viewer").get_by_role("button", name="Change a part").click()
    page.wait_for_selector("studio-mask canvas")
    assert page.input_value(".prompt-bar textarea") == "a purple whale"


def test_samplers_are_compared_alone_and_kept(open_page):
    page = open_page()
    page.fill(".prompt-bar textarea", "an orange snake")
    page.get_by_role("button", name="Compare").click()
    page.get_by_label("Across", exact=True).select_option("sampler")
    page.get_by_label("Down", exact=True).select_option("nothing")
    ticked = page.locator("dialog.compare .samplers:visible :checked")
    assert [each.input_value() for each in ticked.all()] == ["dpmpp_2m"]
    page.locator("dialog.compare label:visible", has_text=re.compile("^ddim$")).click()
    button = page.locator("dialog.compare .primary")
    select = page.get_by_label("Across", exact=True)
    assert button.bounding_box()["y"] == pytest.approx(select.bounding_box()["y"], abs=3)
    button.click()
    sync_api.expect(page.locator(".compare td button img")).to_have_count(2)
    assert page.locator(".compare th").all_inner_texts() == ["ddim", "dpmpp_2m"]
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("orange snake")
    sync_api.expect(page.locator(".grid li")).to_have_count(2)


def test_a_table_compares_settings(open_page):
    page = open_page()
    page.fill(".prompt-bar textarea", "a cat")
    page.get_by_role("button", name="Compare").click()
    page.get_by_label("Across: values").fill("2, 4")
    page.get_by_label("Down: values").fill("1, 5")
    page.locator("dialog.compare .primary").click()
    sync_api.expect(page.locator(".compare td button img")).to_have_count(4)
    texts = page.locator(".compare th").all_inner_texts()
    assert texts == ["Steps 2", "Steps 4", "Guidance 1", "Guidance 5"]


def test_a_plugin_brings_its_widget(open_page):
    page = open_page()
    open_section(page, "Palette")
    page.click("text=Add a colour")
    page.click("text=Add a colour")
    page.locator("plugin-palette input[type=color]").first.fill("#00ff00")
    page.locator("[data-input=palette] [data-field=scale] input[type=number]").fill("0.5")
    with page.expect_request("**/api/jobs") as sent:
        create(page, "a cat")
    assert sent.value.post_data_json["adapter_scales"] == {"palette": 0.5}
    colors = sent.value.post_data_json["inputs"]["palette"]["colors"]
    assert colors[0] == "#00ff00"
    assert len(colors) == 2
    url = page.locator(".frame-button img").get_attribute("src")
    drop(page, page.request.get(page.url.rstrip("/") + url).body())
    page.wait_for_selector("text=/It can be made again/")
    strength = page.locator("[data-input=palette] [data-field=scale] input[type=number]")
    assert strength.input_value() == "0.5"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("model", ["sketchbook", "scenes"])
def test_the_page_is_accessible_and_fits(open_page, theme, width, model):
    page = open_page(width, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    create(page, "a red apple")
    use_model(page, model)
    for summary in page.locator(".section > summary").all():
        summary.click()
    if model == "scenes":
        create(page, "a cat and a qwxzy in a meadow")
        drop(page, png((64, 64), "teal"), "studio-references")
        page.get_by_label("Add a drawing by its name").fill("cat")
        page.locator(".suggestions img").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci --ignore-scripts")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    told = [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in serious]
    assert told == []


def test_the_keyboard_reaches_the_prompt_the_button_and_the_options(open_page):
    page = open_page()
    page.focus(".prompt-bar textarea")
    page.keyboard.type("a cat")
    page.keyboard.press("Tab")
    assert re.search("Create", page.evaluate("document.activeElement.textContent"))
    page.keyboard.press("Enter")
    page.wait_for_selector(".frame-button")


def test_an_acceleration_can_be_chosen(open_page):
    page = open_page()
    open_section(page, "Details")
    page.locator(".details > .more > summary").click()
    page.locator("[data-field=acceleration] select").first.select_option("deep_cache")
    with page.expect_request("**/api/jobs") as sent:
        create(page, "a cat")
    assert sent.value.post_data_json["acceleration"]["name"] == "deep_cache"


def test_a_page_that_is_opened_again_finds_its_job(open_page):
    page = open_page()
    start_long_run(page)
    page.reload()
    page.wait_for_selector("img.preview")
    page.click("text=Cancel")
    page.wait_for_selector("text=Cancelled.")


def test_the_gallery_goes_on_on_a_large_screen(open_page):
    page = open_page(height=4000)
    request = {"inputs": {"prompt": "a snail"}, "steps": 1, "n": 8}
    for _ in range(7):
        page.request.post(f"{page.url}api/jobs", data=request)
    for _ in range(300):
        jobs = page.request.get(f"{page.url}api/jobs").json()["jobs"]
        if all(job["state"] == "succeeded" for job in jobs[:7]):
            break
        page.wait_for_timeout(100)
    page.get_by_role("searchbox").fill("snail")
    sync_api.expect(page.locator(".grid li")).to_have_count(56)


def test_a_model_is_named_while_it_loads_and_nothing_is_created(open_page):
    page = open_page(answers=[503])
    page.fill(".prompt-bar textarea", "a cat")
    held, sent = [], []

    def hold(route: object) -> None:
        held.append(route)

    page.route("**/api/models/sketchbook", hold)
    page.on("request", lambda request: sent.append(request.url))
    page.select_option(MODEL, "sketchbook")
    status = page.locator(".prompt-bar .loading-model")
    sync_api.expect(status).to_have_text("Loading sketchbook …")
    button = page.locator(".prompt-bar .primary")
    sync_api.expect(button).to_be_disabled()
    page.press(".prompt-bar textarea", "Enter")
    assert not [url for url in sent if url.endswith("/jobs")]
    why = "other models are in use; try again later"
    held[0].fulfill(status=503, json={"error": {"message": why, "code": "no_memory"}})
    page.wait_for_selector(f".notice >> text=sketchbook cannot be loaded: {why}")
    sync_api.expect(status).to_be_hidden()
    sync_api.expect(button).to_be_enabled()
    assert page.input_value(MODEL) == "emoji-scenes"
    page.unroute("**/api/models/sketchbook")
    use_model(page, "sketchbook")
    sync_api.expect(page.locator(".notice")).to_be_hidden()
    create(page)


@pytest.mark.parametrize("field", ["sampler", "schedule", "guidance"])
def test_choices_are_explained_in_plain_words_and_the_terms_are_a_click_away(open_page, field):
    page = open_page()
    open_section(page, "Details")
    named = page.locator(f"[data-field={field}] studio-named")
    summary, about = named.locator("> .hint"), named.locator(".more > .hint").first
    for name in named.locator("> select option").all_inner_texts():
        named.locator("> select").select_option(name)
        assert not re.search("arXiv|sigma|et al", summary.inner_text())
    assert summary.inner_text().endswith(".")
    sync_api.expect(about).to_be_hidden()
    named.locator(".more > summary").click()
    sync_api.expect(about).to_be_visible()
    assert about.inner_text() != summary.inner_text()


@pytest.mark.parametrize(
    ("model", "titles"),
    [
        (
            "scenes",
            [
                ("Things to draw", "Reference"),
                ("Boxes", "Layout"),
                ("Painted map", "Semantic map"),
                ("Enlarge a small picture", "Low resolution"),
                ("Start from a picture", None),
                ("Details", None),
            ],
        ),
        (
            "emoji-scenes",
            [
                ("A thing from a list", "Class label"),
                ("Start from a picture", None),
                ("Palette", None),
                ("Details", None),
            ],
        ),
    ],
)
def test_sections_have_plain_titles_and_their_terms_beside_them(open_page, model, titles):
    page = open_page()
    page.select_option(MODEL, model)
    sync_api.expect(page.locator(".section")).to_have_count(len(titles))
    found = []
    for title in page.locator(".section-title").all():
        term = title.locator(".term")
        plain = title.evaluate("each => each.firstChild.textContent")
        found.append((plain, term.inner_text() if term.count() else None))
    assert found == titles


def test_the_model_that_was_chosen_last_is_shown_and_its_button_still_cancels(open_page):
    page = open_page()
    start_long_run(page)
    held = []

    def hold(route: object) -> None:
        held.append(route)

    page.route("**/api/models/sketchbook", hold)
    page.select_option(MODEL, "sketchbook")
    with page.expect_response("**/api/models/emoji-scenes"):
        page.select_option(MODEL, "emoji-scenes")
    with page.expect_response("**/api/models/sketchbook"):  # it answers last
        held[0].continue_()
    page.wait_for_timeout(300)
    assert page.locator("[data-input=layout]").count() == 0
    assert page.input_value(MODEL) == "emoji-scenes"
    page.click("text=Cancel")
    page.wait_for_selector("text=Cancelled.")
