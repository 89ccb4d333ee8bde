"""Clients of A1111's API against a server on loopback."""

import base64
import io
import json
import threading
import time

import pytest
import webuiapi
from latelier.contracts.images.reading import to_data_uri
from PIL import Image, ImageChops, ImageDraw, ImageStat
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
    assert [each["name"] for each in api.get_upscalers()] == ["None", "Lanczos"]
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


@pytest.fixture
def picture():
    """A picture of 128 x 96 pixels, and a mask with a white square of 16 pixels."""
    mask = Image.new("L", (128, 96), 0)
    mask.paste(255, (100, 40, 116, 56))
    return Image.new("RGB", (128, 96), "#204060"), mask


def test_only_the_part_around_the_mask_is_repainted(api, picture):
    whole, mask = picture
    options = {
        "prompt": "a cat on a yellow background",
        "denoising_strength": 1.0,
        "steps": 4,
        "seed": 3,
    }
    options |= {"images": [whole], "mask_image": mask, "mask_blur": 0, "width": 64, "height": 64}
    made = api.img2img(**options, inpaint_full_res=True, inpaint_full_res_padding=4)
    assert made.image.size == (128, 96)
    assert (made.info["width"], made.info["height"]) == (64, 64)
    difference = ImageChops.difference(made.image.convert("RGB"), whole)
    assert difference.getbbox() == (100, 40, 116, 56)
    tight = api.img2img(**options, inpaint_full_res=True, inpaint_full_res_padding=0)
    assert ImageChops.difference(tight.image.convert("RGB"), whole).getbbox() == (100, 40, 116, 56)
    made = api.img2img(**options, inpaint_full_res=False)
    assert made.image.size == (64, 64)


@pytest.mark.parametrize("is_part", [True, False])
@pytest.mark.parametrize(("fill", "color"), [(0, "red"), (1, "green")])
def test_the_masked_area_begins_with_what_is_around_it_or_with_the_picture(
    client, is_part, fill, color
):
    picture, mask = Image.new("RGB", (64, 64), "red"), Image.new("L", (64, 64), 0)
    picture.paste("green", (16, 16, 48, 48))
    mask.paste(255, (16, 16, 48, 48))
    body = {"prompt": "a cat", "steps": 20, "denoising_strength": 0.05, "seed": 1, "mask_blur": 0}
    body |= {"init_images": [to_data_uri(picture)], "mask": to_data_uri(mask)}
    body |= {"width": 64, "height": 64, "inpaint_full_res": is_part, "inpainting_fill": fill}
    body |= {"inpaint_full_res_padding": 8}
    answer = client.post("/sdapi/v1/img2img", json=body).json()
    image = Image.open(io.BytesIO(base64.b64decode(answer["images"][0])))
    red, green, _ = image.crop((24, 24, 40, 40)).resize((1, 1)).getpixel((0, 0))
    assert (red > green) == (color == "red")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"width": 0}, 422),
        ({"width": -64}, 422),
        ({"inpaint_full_res_padding": -100}, 200),
        ({"inpaint_full_res_padding": 10**9}, 200),
        ({"mask_blur": -3}, 200),
        ({"mask_blur": 10**6}, 422),  # no pixel of the mask is left
        ({"denoising_strength": 2}, 422),
        ({"init_images": ["%%%"]}, 422),
    ],
)
def test_odd_values_of_only_masked(client, picture, fields, status):
    whole, mask = picture
    body = {"prompt": "a", "steps": 1, "width": 64, "height": 64, "mask": to_data_uri(mask)}
    answer = client.post(
        "/sdapi/v1/img2img", json={**body, "init_images": [to_data_uri(whole)], **fields}
    )
    assert answer.status_code == status, answer.text[:300]


def test_a_second_pass_draws_larger_pictures(api):
    options = {"prompt": "a cat", "seed": 7, "width": 64, "height": 64, "batch_size": 2}
    small = api.txt2img(**options)
    made = api.txt2img(**options, enable_hr=True, hr_scale=1.5, denoising_strength=0.5)
    assert [image.size for image in made.images] == [(96, 96)] * 2
    assert made.info["all_seeds"] == [7, 8]
    assert made.info["denoising_strength"] == 0.5
    for image, first in zip(made.images, small.images, strict=True):  # it is the same scene
        shrunk = image.convert("RGB").resize((8, 8)), first.convert("RGB").resize((8, 8))
        assert max(ImageStat.Stat(ImageChops.difference(*shrunk)).mean) < 40
    one = api.txt2img(**{**options, "batch_size": 1}, enable_hr=True, hr_resize_x=128)
    assert one.image.size == (128, 128)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"subseed": 3, "subseed_strength": 0.5}, "subseed_strength: 0.5 is not supported here"),
        ({"tiling": True}, "tiling: True is not supported here"),
        ({"restore_faces": True}, "restore_faces"),
        ({"styles": ["noir"]}, "styles"),
        ({"inpainting_fill": 2}, "inpainting_fill: 2 is not supported here"),
        ({"script_name": "X/Y/Z plot"}, "Script 'X/Y/Z plot' not found"),
        ({"alwayson_scripts": {"ADetailer": {"args": [True]}}}, "always on script ADetailer not"),
        ({"s_churn": 5}, "s_churn: the sampler 'Euler a' does not have it"),
        ({"enable_hr": True, "hr_upscaler": "ESRGAN_4x"}, "could not find upscaler named ESRGAN"),
        ({"enable_hr": True, "hr_sampler_name": "Heun"}, "hr_sampler_name"),
        ({"enable_hr": True, "hr_scale": 1e6}, "pixels are above the limit"),
        ({"enable_hr": True, "hr_scale": -1}, "would have no pixels"),
        ({"override_settings": {"CLIP_stop_at_last_layers": 2}}, "CLIP_stop_at_last_layers"),
    ],
)
def test_what_would_have_no_effect_is_refused(client, fields, words):
    body = {"prompt": "a cat", "steps": 1, "width": 64, "height": 64, "sampler_name": "Euler a"}
    answer = client.post("/sdapi/v1/txt2img", json={**body, **fields})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "sampler", "schedule"),
    [
        ({"sampler_name": "DPM++ 2M Karras"}, {"name": "dpmpp_2m"}, "karras"),
        ({"sampler_index": "Euler a", "scheduler": "Exponential", "eta": 0}, {"eta": 0}, "exponen"),
        ({"sampler_name": "DDIM", "scheduler": "Automatic", "eta": 0.5}, {"eta": 0.5}, None),
        ({"sampler_name": "edm_stochastic", "s_churn": 4, "s_tmax": 0}, {"s_churn": 4}, None),
    ],
)
def test_names_and_options_of_samplers(client, finish, fields, sampler, schedule):
    body = {"prompt": "a cat", "steps": 1, "width": 64, "height": 64}
    made = client.post("/sdapi/v1/txt2img", json={**body, **fields}).json()
    data = base64.b64decode(made["images"][0])
    ran = client.post("/api/read", content=data, headers={"content-type": "image/png"}).json()
    found = {"name": ran["request"]["sampler"]["name"].rpartition("/")[2]}
    found |= ran["request"]["sampler"]["options"]
    assert sampler.items() <= found.items()
    assert schedule is None or schedule in ran["request"]["schedule"]["name"]


def test_fields_about_the_answer(client, red_uri):
    body = {"prompt": "a cat", "steps": 1, "init_images": [red_uri], "send_images": False}
    answer = client.post("/sdapi/v1/img2img", json=body).json()
    assert answer["images"] == []
    assert "init_images" not in answer["parameters"]
    body["include_init_images"] = True
    assert client.post("/sdapi/v1/img2img", json=body).json()["parameters"]["init_images"]


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
    assert 0 < state["eta_relative"] < 60
    api.interrupt()
    thread.join(timeout=10)
    assert errors
    assert api.get_progress()["progress"] == 0


def test_the_settings_of_a_picture_come_back(api):
    made = api.txt2img(prompt="a blue cat", seed=7, width=64, height=64)
    info = api.png_info(made.image).info if made.image.info else ""
    assert info == "" or "a blue cat" in info


def test_a_mistake_is_shown(api):
    with pytest.raises(RuntimeError, match="not a multiple of 4"):
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
