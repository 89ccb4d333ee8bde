"""OpenAI's own client against a server on loopback."""

import base64
import io
import threading
import time
import urllib.request

import openai
import pytest
from PIL import Image, ImageDraw


@pytest.fixture
def api(process):
    return openai.OpenAI(base_url=f"{process.url}/v1", api_key="none", max_retries=0)


def opened(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_models(api):
    assert [each.id for each in api.models.list()] == ["emoji-scenes"]
    assert api.models.retrieve("emoji-scenes").owned_by == "latelier"


def test_two_pictures_of_two_seeds_that_come_again(api):
    options = {"model": "emoji-scenes", "prompt": "a cat", "n": 2, "size": "64x64"}
    extra = {"seed": 7, "steps": 3, "sampler": {"name": "ddim", "eta": 0.5}, "guidance_scale": 2}
    first = api.images.generate(**options, extra_body=extra)
    again = api.images.generate(**options, extra_body=extra)
    one, other = (opened(each.b64_json) for each in first.data)
    assert one.size == (64, 64)
    assert one.tobytes() != other.tobytes()
    assert one.tobytes() == opened(again.data[0].b64_json).tobytes()
    assert first.size == "64x64"


@pytest.mark.parametrize(("name", "known"), [("jpeg", "JPEG"), ("webp", "WEBP"), ("png", "PNG")])
def test_formats(api, name, known):
    answer = api.images.generate(prompt="a cat", output_format=name, extra_body={"steps": 1})
    assert opened(answer.data[0].b64_json).format == known
    assert answer.output_format == name


def test_urls(api):
    options = {"prompt": "a cat", "response_format": "url", "extra_body": {"steps": 1}}
    [picture] = api.images.generate(**options).data
    with urllib.request.urlopen(picture.url) as answer:
        assert Image.open(answer).size == (64, 64)


def test_a_stream_sharpens(api):
    options = {"prompt": "a cat", "stream": True, "partial_images": 3}
    with api.images.generate(**options, extra_body={"steps": 40, "seed": 1}) as stream:
        events = list(stream)
    *partial, last = events
    assert [each.type for each in partial] == ["image_generation.partial_image"] * 3
    assert [each.partial_image_index for each in partial] == [0, 1, 2]
    assert last.type == "image_generation.completed"
    finished = opened(last.b64_json).convert("RGB").tobytes()
    shown = [opened(each.b64_json).convert("RGB").tobytes() for each in partial]
    distances = [sum(abs(a - b) for a, b in zip(each, finished)) for each in shown]
    assert distances[0] > distances[2] > 0


def test_a_masked_edit_repaints_what_is_transparent(api):
    picture = Image.new("RGB", (64, 64), "#204060")
    mask = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    ImageDraw.Draw(mask).rectangle((32, 0, 63, 63), fill=(0, 0, 0, 0))
    answer = api.images.edit(
        image=("a.png", png(picture), "image/png"),
        mask=("m.png", png(mask), "image/png"),
        prompt="a cat on a yellow background",
        extra_body={"seed": 3, "steps": 4},
    )
    made = opened(answer.data[0].b64_json).convert("RGB")
    kept, repainted = made.crop((0, 0, 30, 64)), made.crop((34, 0, 64, 64))
    assert all(abs(a - b) <= 12 for a, b in zip(kept.resize((1, 1)).getpixel((0, 0)), (32, 64, 96)))
    assert any(high - low > 60 for low, high in repainted.getextrema())


def test_an_edit_without_a_mask_starts_from_the_picture(api):
    picture = ("a.png", png(Image.new("RGB", (64, 64), "#c02020")), "image/png")
    options = {"strength": 0.1, "steps": 10, "seed": 1}
    made = opened(
        api.images.edit(image=picture, prompt="a cat", extra_body=options).data[0].b64_json
    )
    red, green, _ = made.convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert red > green + 80


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prompt": "a cat", "size": "63x64"}, "not a multiple of 4"),
        ({"prompt": "a cat", "n": 11}, "above the limit of 10"),
        ({"prompt": "a cat", "extra_body": {"stepz": 3}}, "no field 'stepz'. Did you mean 'steps'"),
        ({"prompt": "a cat", "extra_body": {"init_image": "/etc/passwd"}}, "data URI"),
        ({"prompt": ""}, "prompt: the field is required"),
    ],
)
def test_mistakes_say_what_would_be_right(api, options, words):
    with pytest.raises(openai.BadRequestError) as caught:
        api.images.generate(**options)
    assert words in caught.value.message
    assert caught.value.type == "invalid_request_error"


def test_an_unknown_model(api):
    with pytest.raises(openai.NotFoundError) as caught:
        api.images.generate(model="dall-e-9", prompt="a cat")
    assert caught.value.code == "model_not_found"


def test_closing_a_stream_cancels_at_the_next_step(api, process):
    def metric(name):
        with urllib.request.urlopen(f"{process.url}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)

    cancelled = 'latelier_requests_total{finished_reason="cancelled"}'
    before = metric(cancelled)
    options = {"prompt": "a cat", "stream": True, "partial_images": 3}
    with api.images.generate(**options, extra_body={"steps": 200}) as stream:
        next(iter(stream))
    start = time.monotonic()
    while metric(cancelled) == before:
        assert time.monotonic() - start < 10
        time.sleep(0.05)
    assert metric('latelier_num_requests_running{model="emoji-scenes"}') == 0


def test_eight_at_once(api):
    made = []

    def make(seed):
        options = {"prompt": "a dog", "extra_body": {"seed": seed, "steps": 3}}
        made.append(api.images.generate(**options).data[0].b64_json)

    threads = [threading.Thread(target=make, args=(seed,)) for seed in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(made)) == 8


def test_a_wrong_key(start_process):
    key = "a-key-of-sixteen-characters"
    found = start_process(environment={"LATELIER_SERVER_KEYS": key})
    with pytest.raises(openai.AuthenticationError) as caught:
        openai.OpenAI(base_url=f"{found.url}/v1", api_key="wrong").models.list()
    assert caught.value.code == "invalid_api_key"
    assert list(openai.OpenAI(base_url=f"{found.url}/v1", api_key=key).models.list())
