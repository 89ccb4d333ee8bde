"""Reference pictures in a real browser: drawings are added, placed, and drawn."""

import base64
import io
import re

import pytest
from latelier.contracts.images.references import visible_box
from PIL import Image, ImageChops, ImageDraw
from running import create, drag, drop, open_section, use_model

sync_api = pytest.importorskip("playwright.sync_api")

WIDGET = "studio-references"
SHEET = f"{WIDGET} .sheet"
NAME = "Add a drawing by its name"


@pytest.fixture
def open_form(open_page):
    """Open the studio with the model `scenes` and its form of references."""

    def open_it(*size: int, **options: object) -> object:
        page = open_page(*size, **options)
        use_model(page, "scenes")
        open_section(page, "Reference")
        return page

    return open_it


def add(page, text: str) -> None:
    """Add the drawing that is suggested first for a text."""
    count = page.locator(".drawing").count()
    page.get_by_label(NAME).fill(text)
    page.locator(".suggestions li").first.wait_for()
    page.keyboard.press("Enter")
    wait_until_drawn(page, count)


def wait_until_drawn(page, number: int) -> None:
    """Wait until a drawing has its picture: its canvas had 300 pixels before."""
    page.wait_for_function(
        "k => ![undefined, 300].includes(document.querySelectorAll('.drawing canvas')[k]?.width)",
        arg=number,
    )


def value_of(page) -> dict:
    """Return the value of the widget."""
    return page.evaluate(f"document.querySelector('{WIDGET}').value")


def handle(page, selector: str, number: int = 0) -> tuple[float, float]:
    """Return the middle of a part of a drawing, in 0..1 of the sheet."""
    part = page.locator(".drawing").nth(number).locator(selector).bounding_box()
    sheet = page.locator(SHEET).bounding_box()
    return (
        (part["x"] + part["width"] / 2 - sheet["x"]) / sheet["width"],
        (part["y"] + part["height"] / 2 - sheet["y"]) / sheet["height"],
    )


def draw_two_boxes(page) -> None:
    """Draw a box of the layout on the left, and one on the right."""
    open_section(page, "Layout")
    drag(page, "studio-layout .sheet", (0.05, 0.3), (0.4, 0.9))
    drag(page, "studio-layout .sheet", (0.6, 0.3), (0.95, 0.9))


def to_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def make_drawing(mode: str = "RGB", background: object = "white") -> bytes:
    """Return a purple thing, twice as wide as high, on a background."""
    image = Image.new(mode, (200, 200), background)
    ImageDraw.Draw(image).ellipse((20, 60, 180, 140), fill="#7e3fb8")
    return to_png(image)


def middle_of(picture: Image.Image, color: str) -> tuple[float, float]:
    """Return where a colour is, as shares of the sides of a picture."""
    red, _, blue, alpha = picture.split()
    shares = (red if color == "red" else blue).point([0] * 200 + [255] * 56)
    left, top, right, bottom = ImageChops.multiply(shares, alpha).getbbox()
    return (left + right) / 2 / picture.width, (top + bottom) / 2 / picture.height


def read_alpha(source: str) -> Image.Image:
    data = base64.b64decode(source.split(",")[1])
    return Image.open(io.BytesIO(data)).convert("RGBA").getchannel("A")


def test_names_are_suggested_by_synonyms_and_the_prompt_decides_the_places(open_form):
    page = open_form()
    add(page, "kitten")
    assert value_of(page) == {"pictures": ["cat"]}
    assert page.get_by_label("The prompt decides").is_checked()
    assert page.locator(".drawing-name").inner_text() == "cat"
    page.get_by_role("button", name="#1: put it into the prompt").click()
    page.keyboard.type("in a meadow")
    assert page.input_value(".prompt-bar textarea") == "#1 in a meadow"
    with page.expect_request("**/api/jobs") as sent:
        create(page)
    assert sent.value.post_data_json["inputs"]["reference"] == {"pictures": ["cat"]}
    notes = page.locator(".stage-notes")
    sync_api.expect(notes).to_have_text("Drawn after examples that the model has: cat.")
    assert page.locator(".grid li button").first.get_attribute("title") == "cat in a meadow"


def test_the_suggestions_are_a_list_for_the_keyboard(open_form):
    page = open_form()
    field = page.get_by_label(NAME)
    field.fill("cat")
    options = page.locator(".suggestions li")
    options.first.wait_for()
    assert options.first.inner_text() == "cat"
    assert options.first.locator("img").get_attribute("src").startswith("/api/databases/")
    second = options.nth(1).inner_text()
    page.keyboard.press("ArrowDown")
    marked = page.evaluate("document.activeElement.getAttribute('aria-activedescendant')")
    assert marked == options.nth(1).get_attribute("id")
    page.keyboard.press("Enter")
    assert value_of(page) == {"pictures": [second]}
    field.fill("qwxzy")
    sync_api.expect(page.locator(".name-search .hint")).to_have_text(
        "No drawing is called “qwxzy”."
    )


def test_a_drawing_is_moved_resized_turned_and_mirrored_by_the_mouse(open_form):
    page = open_form()
    drop(page, make_drawing(), WIDGET)
    wait_until_drawn(page, 0)
    drag(page, SHEET, (0.28, 0.62), (0.5, 0.5))
    [box] = value_of(page)["boxes"]
    assert page.get_by_label("As placed here").is_checked()
    assert box == pytest.approx([0.3, 0.4, 0.7, 0.6], abs=0.02)
    drag(page, SHEET, handle(page, ".grip:not(.turner)"), (0.9, 0.7))
    [box] = value_of(page)["boxes"]
    assert box == pytest.approx([0.3, 0.4, 0.9, 0.7], abs=0.03)
    x, y = handle(page, ".turner")  # a quarter around the middle (0.6, 0.55)
    drag(page, SHEET, (x, y), (0.6 - (0.55 - y), 0.55 - (x - 0.6)))
    value = value_of(page)
    assert value["turns"] == pytest.approx([90], abs=3)
    [[x0, y0, x1, y1]] = value["boxes"]
    assert (y1 - y0) / (x1 - x0) == pytest.approx(2, abs=0.15)
    page.get_by_role("button", name="Mirror #1").click()
    assert value_of(page)["mirrored"] == [True]
    page.get_by_label("The prompt decides").check()
    assert list(value_of(page)) == ["pictures"]
    page.get_by_role("button", name="Remove #1").click()
    assert page.evaluate(f"document.querySelector('{WIDGET}').value === undefined")


def test_the_keyboard_and_the_number_fields_pose_a_drawing(open_form):
    page = open_form()
    add(page, "red car")
    page.locator(".drawing").focus()
    x0, y0, y1 = 0.08, 0.43, 0.81
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    [box] = value_of(page)["boxes"]
    assert box[0] == pytest.approx(x0 + 0.02, abs=0.01)
    assert (box[1] + box[3]) / 2 == pytest.approx((y0 + y1) / 2 + 0.04, abs=0.01)
    page.keyboard.press("+")
    page.keyboard.press("m")
    for _ in range(3):
        page.keyboard.press("[")
    page.keyboard.press("]")
    value = value_of(page)
    assert (value["turns"], value["mirrored"]) == ([10], [True])
    assert page.get_by_label("Turn, degrees").input_value() == "10"
    assert page.get_by_label("Size, %").input_value() == "44"
    page.get_by_label("Turn, degrees").fill("-45")
    page.get_by_label("Size, %").fill("20")
    value = value_of(page)
    assert value["turns"] == [-45]
    [[left, _, right, _]] = value["boxes"]
    assert 0.15 < right - left < 0.3
    page.locator(".drawing").focus()
    page.keyboard.press("Delete")
    assert page.locator(".drawing").count() == 0


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("turn", [0, 35, 90, -120])
def test_a_drawing_is_shown_as_the_model_sees_it(open_form, turn, is_mirrored):
    page = open_form()
    picture = Image.new("RGBA", (160, 160))
    draw = ImageDraw.Draw(picture)
    for corners, color in (((20, 60, 60, 100), "red"), ((60, 40, 140, 100), "blue")):
        draw.rectangle(corners, fill=color)
    drop(page, to_png(picture), WIDGET)
    wait_until_drawn(page, 0)
    page.get_by_label("Turn, degrees").fill(str(turn))
    if is_mirrored:
        page.get_by_role("button", name="Mirror #1").click()
    uri = page.evaluate("document.querySelector('.drawing canvas').toDataURL()")
    shown = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
    posed = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if is_mirrored else picture
    posed = posed.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    expected = posed.crop(visible_box(posed))
    assert shown.size == pytest.approx(expected.size, abs=3)
    for color in ("red", "blue"):
        assert middle_of(shown, color) == pytest.approx(middle_of(expected, color), abs=0.03)


def test_a_finger_moves_a_drawing_and_the_page_elsewhere(open_form):
    page = open_form(390, 844)
    add(page, "cat")
    page.locator(SHEET).scroll_into_view_if_needed()
    rect = page.locator(SHEET).bounding_box()
    session = page.context.new_cdp_session(page)
    for kind, place in (("Start", (0.28, 0.62)), ("Move", (0.4, 0.5)), ("Move", (0.6, 0.4))):
        x, y = (rect["x"] + rect["width"] * place[0], rect["y"] + rect["height"] * place[1])
        points = [{"x": x, "y": y, "id": 0}]
        session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    [[x0, _, x1, _]] = value_of(page)["boxes"]
    assert (x0 + x1) / 2 == pytest.approx(0.6, abs=0.03)
    style = "getComputedStyle(document.querySelector('{}')).touchAction"
    assert page.evaluate(style.format(".drawing")) == "none"
    assert page.evaluate(style.format(SHEET)) == "auto"


def test_as_many_drawings_are_taken_as_fit(open_form):
    page = open_form()
    for name in ("cat", "owl", "red car"):
        add(page, name)
    assert page.get_by_label(NAME).is_disabled()
    assert page.locator(f"{WIDGET} input[type=file]").is_disabled()
    drop(page, make_drawing(), WIDGET)
    error = page.locator(f"{WIDGET} .error")
    sync_api.expect(error).to_have_text("At most 3 drawings fit. Remove one first.")
    page.get_by_role("button", name="Remove #2").click()
    assert value_of(page) == {"pictures": ["cat", "red car"]}
    add(page, "tree")  # where the owl was
    page.get_by_label("As placed here").check()
    boxes = value_of(page)["boxes"]
    centers = [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in boxes]
    assert len({(round(x, 1), round(y, 1)) for x, y in centers}) == 3


def test_a_plain_background_is_cut_away_and_transparency_stays_as_it_is(open_form):
    page = open_form()
    drop(page, make_drawing(), WIDGET)
    status = page.locator(f"{WIDGET} > .hint[role=status]")
    sync_api.expect(status).to_have_text("The plain background of your picture was cut away.")
    drop(page, make_drawing("RGBA", (0, 0, 0, 0)), WIDGET)
    page.locator(".drawing").nth(1).wait_for()
    sync_api.expect(status).to_have_text("")
    for source in value_of(page)["pictures"]:
        alpha = read_alpha(source)
        assert alpha.getbbox() == pytest.approx((20, 60, 181, 141), abs=2)
        assert alpha.getpixel((100, 100)) == 255


def test_all_is_drawn_of_a_picture_without_a_plain_background(open_form):
    page = open_form()
    image = Image.radial_gradient("L").convert("RGB")
    image.paste("red", (0, 0, 128, 256))
    drop(page, to_png(image), WIDGET)
    status = page.locator(f"{WIDGET} > .hint[role=status]")
    sync_api.expect(status).to_have_text(re.compile("^All of your picture is drawn"))
    [source] = value_of(page)["pictures"]
    assert read_alpha(source).getextrema() == (255, 255)


def test_a_file_that_shows_nothing_says_so(open_form):
    page = open_form()
    drop(page, to_png(Image.new("RGBA", (32, 32))), WIDGET)
    error = page.locator(f"{WIDGET} .error")
    sync_api.expect(error).to_have_text("This picture is transparent everywhere.")


def test_the_settings_of_a_picture_bring_its_drawings_back(open_form):
    page = open_form()
    drop(page, make_drawing(), WIDGET)
    page.locator(".drawing").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("[")
    given = value_of(page)
    create(page, "#1 in a meadow")
    sync_api.expect(page.locator(".stage-notes")).to_have_text("It drew your drawing.")
    page.locator("[data-input=reference] .clear").click()
    assert page.locator(".drawing").count() == 0
    page.click(".frame-button")
    page.get_by_role("button", name="Use its settings").click()
    page.locator(".drawing").wait_for()
    assert page.locator(".drawing-name").inner_text() == "Your drawing"
    found = value_of(page)
    assert found["turns"] == given["turns"]
    assert found["boxes"] == [pytest.approx(box) for box in given["boxes"]]


def test_settings_of_a_prompt_come_back_in_its_words(open_form):
    page = open_form()
    create(page, "two kittens to the left of an owl in a meadow")
    page.click(".frame-button")
    side = page.locator(".viewer-side")
    assert "Drawn after examples that the model has: cat (2 times) and owl." in side.inner_text()
    page.get_by_role("button", name="Use its settings").click()
    page.locator(".notice-good").wait_for()
    assert page.input_value(".prompt-bar textarea") == "cat and cat to the left of owl in a meadow"
    assert page.locator(".drawing").count() == 0
    with page.expect_request("**/api/jobs") as sent:
        create(page)
    assert list(sent.value.post_data_json["inputs"]) == ["prompt"]


def test_what_is_left_out_comes_back_in_its_words(open_form):
    page = open_form()
    open_section(page, "Details")
    field = page.locator("[data-field=negative] textarea")
    field.fill("a kitten and a qwxzy")
    create(page, "an owl in a meadow")
    notes = page.locator(".stage-notes p")
    assert notes.nth(1).inner_text().startswith("Leave out: 'qwxzy' is not in latelier/emoji")
    page.click(".frame-button")
    page.get_by_role("button", name="Use its settings").click()
    page.locator(".notice-good").wait_for()
    assert field.input_value() == "cat and a qwxzy"


def test_variations_keep_the_drawings_where_they_are_and_a_part_names_its_own(open_form):
    page = open_form()
    create(page, "a cat to the left of an owl in a meadow")
    page.click(".stage-actions >> text=Vary")
    page.locator("[data-field=init_image] img").wait_for()
    value = value_of(page)
    assert value["pictures"] == ["cat", "owl"]
    [cat, owl] = value["boxes"]
    assert cat[0] < owl[0]
    create(page)
    assert "left out" not in page.locator(".stage-notes").inner_text()
    page.click(".stage-actions >> text=Change a part")
    page.wait_for_selector("studio-mask canvas")
    page.keyboard.type("a bee")
    assert page.input_value(".prompt-bar textarea") == "a bee"
    assert page.evaluate(f"document.querySelector('{WIDGET}').value === undefined")


def test_words_that_the_model_does_not_know_are_named(open_form):
    page = open_form()
    create(page, "a cat and a qwxzy in a meadow")
    notes = page.locator(".stage-notes p")
    sync_api.expect(notes).to_have_count(2)
    assert notes.nth(1).inner_text().startswith("Prompt: 'qwxzy' is not in latelier/emoji")
    create(page, "a cat in a meadow")
    sync_api.expect(notes).to_have_count(1)


def test_a_box_of_a_layout_is_that_of_the_next_thing_in_the_prompt(open_form):
    page = open_form()
    draw_two_boxes(page)
    labels = page.evaluate("document.querySelector('studio-layout').value.map(b => b.label)")
    assert labels == ["#1", "#2"]
    create(page, "an owl and a cat in a meadow")
    notes = page.locator(".stage-notes")
    sync_api.expect(notes).to_have_text("Drawn after examples that the model has: owl and cat.")


def test_a_large_condition_can_be_made_smaller(open_form):
    page = open_form()
    open_section(page, "Low resolution")
    field = page.locator("[data-input=low_resolution]")
    drop(page, make_drawing(), "[data-input=low_resolution] studio-image")
    hint = field.locator(".hint[role=status]")
    sync_api.expect(hint).to_have_text(re.compile("^It has 200 × 200 pixels"))
    field.get_by_role("button", name="Make it smaller").click()
    sync_api.expect(hint).to_have_text("")
    value = page.evaluate(
        "document.querySelector('[data-input=low_resolution] studio-image').value"
    )
    assert read_alpha(value).size == (128, 128)


def test_another_database_has_other_names(open_form):
    page = open_form(answers=(404,))
    open_section(page, "Details")
    page.locator(".details > .more > summary").click()
    page.locator("[data-field=database] input").fill("nothing")
    sync_api.expect(page.locator(".name-search")).to_be_hidden()


def test_boxes_are_named_by_what_the_last_picture_of_the_prompt_drew(open_form):
    page = open_form()
    draw_two_boxes(page)
    captions = page.locator("studio-layout .caption")
    sync_api.expect(captions).to_have_text(["#1", "#2"])
    create(page, "an owl and a cat in a meadow")
    sync_api.expect(captions).to_have_text(["#1 owl", "#2 cat"])
    notes = page.locator("studio-layout .row-note")
    sync_api.expect(notes).to_have_text(["owl", "cat"])
    box = page.locator("studio-layout .box").first
    assert box.get_attribute("aria-label").startswith("Box #1 owl: ")
    page.focus(".prompt-bar textarea")
    page.keyboard.type("a bee and ")
    sync_api.expect(captions).to_have_text(["#1", "#2"])
    create(page, "a cat and an owl")
    sync_api.expect(captions).to_have_text(["#1 cat", "#2 owl"])
    url = page.locator(".frame-button img").get_attribute("src")
    drop(page, page.request.get(page.url.rstrip("/") + url).body())
    page.wait_for_selector("text=/It can be made again/")
    sync_api.expect(captions).to_have_text(["#1 cat", "#2 owl"])
