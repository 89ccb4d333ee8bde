"""Clients of A1111's API against a server on loopback."""

import json
import threading
import time

import pytest
import webuiapi
from PIL import Image, ImageDraw
from sd_backend_client import A1111Webservice, DiffusionParams, connect_to_backend


@pytest.fixture
def api(process):
    return webuiapi.WebUIApi(host="127.0.0.1", port=process.port, sampler="Euler a", steps=3)


def half_mask():
    """The right half is white: A1111 repaints it."""
    mask = Image.new("L", (64, 64), 0)
    ImageDraw.Draw(mask).rectangle((32, 0, 63, 63), fill=255)
    return mask


def test_what_the_client_reads_at_its_start(api):
    assert [each["title"] for each in api.get_sd_models()] == ["emoji-scenes"]
    assert "euler_ancestral" in [each["name"] for each in api.get_samplers()]
    assert "karras" in [each["name"] for each in api.get_schedulers()]
    assert api.get_options()["sd_model_checkpoint"] == "emoji-scenes"


def test_a_batch_has_its_seeds(api):
    made = api.txt2img(prompt="a cat", seed=7, width=64, height=64, batch_size=2)
    assert len(made.images) == 2
    assert made.info["all_seeds"] == [7, 8]
    again = api.txt2img(prompt="a cat", seed=8, width=64, height=64)
    assert again.image.tobytes() == made.images[1].tobytes()


def test_img2img_repaints_what_is_white_in_the_mask(api):
    made = api.img2img(
        images=[Image.new("RGB", (64, 64), "#204060")],
        mask_image=half_mask(),
        mask_blur=0,
        prompt="a cat on a yellow background",
        denoising_strength=1.0,
        width=64,
        height=64,
        steps=4,
        seed=3,
    ).image.convert("RGB")
    kept, repainted = made.crop((0, 0, 30, 64)), made.crop((34, 0, 64, 64))
    assert all(abs(a - b) <= 12 for a, b in zip(kept.resize((1, 1)).getpixel((0, 0)), (32, 64, 96)))
    assert any(high - low > 60 for low, high in repainted.getextrema())


def test_progress_and_interrupt(api):
    errors = []

    def make():
        try:
            api.txt2img(prompt="a cat", width=64, height=64, steps=200)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    for _ in range(200):
        state = api.get_progress()
        if state["state"]["sampling_step"] > 2:
            break
        time.sleep(0.02)
    assert state["state"]["sampling_steps"] == 200
    assert 0 < state["progress"] < 1
    assert state["current_image"]
    api.interrupt()
    thread.join(timeout=10)
    assert errors
    assert api.get_progress()["progress"] == 0


def test_the_settings_of_a_picture_come_back(api):
    made = api.txt2img(prompt="a blue cat", seed=7, width=64, height=64)
    info = api.png_info(made.image).info if made.image.info else ""
    assert info == "" or "a blue cat" in info


def test_a_mistake_is_shown(api):
    with pytest.raises(RuntimeError, match="not a multiple of 16"):
        api.txt2img(prompt="a cat", width=63, height=64)


def test_the_strictest_client(process):
    backend = connect_to_backend(process.url)
    assert isinstance(backend, A1111Webservice)
    params = DiffusionParams(prompt="a cat", seed=5, width=64, height=64, steps=3, batch_size=2)
    handle = backend.submit_txt2img(params)
    result = handle.wait()
    assert [image.size for image in result.images] == [(64, 64)] * 2
    assert [each.model_name for each in backend.get_models()] == ["emoji-scenes"]
    assert backend.get_samplers()
    backend.disconnect()


def test_open_webui(process):
    """Its requests, as its routers/images.py sends them."""
    import urllib.request

    def call(path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{process.url}{path}", data, headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    options = call("/sdapi/v1/options")
    call("/sdapi/v1/options", {**options, "sd_model_checkpoint": "emoji-scenes"})
    body = {"prompt": "a cat", "batch_size": 1, "width": 64, "height": 64, "steps": 2}
    made = call("/sdapi/v1/txt2img", {**body, "negative_prompt": "a dog"})
    assert made["images"]
    assert json.loads(made["info"])["negative_prompt"] == "a dog"
    body = {"model": "emoji-scenes", "prompt": "a cat", "n": 1, "size": "64x64"}
    made = call("/v1/images/generations", {**body, "response_format": "b64_json"})
    assert made["data"][0]["b64_json"]
