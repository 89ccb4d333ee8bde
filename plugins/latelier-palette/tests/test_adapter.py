"""The adapter that is shipped, on the embedded model."""

import latelier
import numpy as np
import pytest
from latelier.pipeline.replay.replay import replay
from PIL import Image

from latelier_palette.dominant_colors import dominant_colors
from latelier_palette.palette_distance import nearest_distance, palette_distance

ASKED = {"prompt": "a cat", "seed": 7, "steps": 4}
PALETTE = {"colors": ["#1d3557", "#e63946", "#f1faee"], "shares": [0.7, 0.2, 0.1]}


@pytest.fixture(scope="module")
def pipe():
    return latelier.load("emoji-scenes", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def view(pipe):
    return pipe.with_adapter("palette")


def pixels(pictures):
    return [np.asarray(picture.image, dtype=np.int16) for picture in pictures]


def same(some, others):
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


def test_it_is_small_and_names_its_base_model(view):
    weights = [
        *view.conditioners["palette"].parameters(),
        *view.adapters["palette"].loaded.adapter.module.parameters(),
    ]
    assert sum(each.numel() for each in weights) < 200_000
    loaded_adapter = view.adapters["palette"].loaded
    assert loaded_adapter.trained_on.model == "emoji-scenes"
    assert loaded_adapter.card["measured"]


def test_without_a_palette_it_gives_the_bits_of_the_model(pipe, view):
    expected = pixels(pipe.generate(**ASKED))
    assert same(pixels(view.generate(**ASKED)), expected)
    off = pipe.with_adapter("palette", scale=0.0)
    assert same(pixels(off.generate(**ASKED, palette=PALETTE)), expected)
    view.generate(**ASKED, palette=PALETTE)
    assert same(pixels(pipe.generate(**ASKED)), expected)


def test_pictures_have_the_requested_colours(pipe, view):
    """Four prompts and four palettes: with them, at most half as far as without."""
    prompts = ["a cat", "a red apple", "a clock", "a bicycle"]
    palettes = [
        {"colors": ["#1d3557", "#e63946"], "shares": [0.7, 0.2]},
        {"colors": ["#2a9d5c", "#ffffff"], "shares": [0.7, 0.2]},
        {"colors": ["#f4a0c0", "#7a3cb0"], "shares": [0.6, 0.3]},
        {"colors": ["#f0d050", "#202020"], "shares": [0.7, 0.2]},
    ]
    without = pipe.generate(prompt=prompts, seed=11)
    made = view.generate(prompt=prompts, palette=palettes, seed=11)
    wanted = [dict(zip(each["colors"], each["shares"])) for each in palettes]
    for distance in (palette_distance, nearest_distance):
        before, after = (
            np.mean([distance(dominant_colors(p.image), a) for p, a in zip(pictures, wanted)])
            for pictures in (without, made)
        )
        assert after < before / 2


def test_a_list_of_colours_is_one_palette_and_their_order_does_not_matter(view):
    colors = PALETTE["colors"]
    one = view.generate(**ASKED, palette=colors)
    assert len(one) == 1
    other = view.generate(**ASKED, palette=colors[::-1])
    assert np.abs(pixels(one)[0] - pixels(other)[0]).max() <= 2


def test_a_picture_is_a_palette(view):
    flag = Image.new("RGB", (60, 40), PALETTE["colors"][0])
    flag.paste(PALETTE["colors"][1], (0, 0, 20, 40))
    taken = dominant_colors(flag)
    written = {"colors": list(taken), "shares": list(taken.values())}
    made = view.generate(**ASKED, palette=flag)
    assert same(pixels(made), pixels(view.generate(**ASKED, palette=written)))
    assert made[0].provenance["request"]["inputs"]["palette"] == [written]


def test_pictures_do_not_depend_on_the_batch(view):
    palettes = [["red"], PALETTE, ["navy", "gold"]]
    together = pixels(view.generate(**{**ASKED, "prompt": ["a cat"] * 3}, palette=palettes))
    for k, palette in enumerate(palettes):
        alone = view.generate(**{**ASKED, "seed": ASKED["seed"] + k}, palette=palette)
        assert np.abs(pixels(alone)[0] - together[k]).max() <= 2


def test_a_picture_is_replayed(view, tmp_path):
    picture = view.generate(**ASKED, palette=PALETTE)[0]
    picture.save(tmp_path / "cat.png")
    assert replay(tmp_path / "cat.png").verdict == "identical"
    assert "latelier-palette" in str(picture.provenance)


def test_hosts_get_the_schema_of_the_input(view):
    colors = view.input_schemas()["palette"]["properties"]["colors"]
    assert colors["items"]["format"] == "color"


def test_a_saved_view_is_loaded_again(view, tmp_path):
    view.save(tmp_path)
    loaded = latelier.load(tmp_path, device="cpu", dtype="float32")
    wanted = {**ASKED, "palette": PALETTE}
    assert same(pixels(loaded.generate(**wanted)), pixels(view.generate(**wanted)))
