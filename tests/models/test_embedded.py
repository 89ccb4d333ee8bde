"""The models that ship in the package."""

from pathlib import Path

import pytest
import yaml
from PIL import Image

import latelier
from latelier.data.emoji_scenes import vocabulary
from latelier.data.emoji_scenes.database import emoji_database
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.pipeline.replay.replay import replay
from latelier.pipeline.storage.sources import list_embedded
from latelier.provenance.pixels import pixel_hash
from latelier_conditioners.text.inputs import Text


@pytest.fixture(scope="module")
def pipe():
    return latelier.load("emoji-scenes")


@pytest.fixture(scope="module")
def scenes():
    return latelier.load("scenes")


def test_the_embedded_models_stay_small():
    files = {
        name: [path.stat().st_size for path in folder.iterdir()]
        for name, folder in list_embedded().items()
    }
    assert list(files) == ["scenes", "emoji-scenes"]
    assert max(sum(sizes) for sizes in files.values()) <= 40 * 2**20
    assert max(max(sizes) for sizes in files.values()) <= 16 * 2**20


@pytest.mark.parametrize("name", ["scenes", "emoji-scenes"])
def test_cards_are_those_of_the_configurations(name):
    root = Path(__file__).parents[2]
    stated = yaml.safe_load((root / "configs" / name / "card.yaml").read_text(encoding="utf-8"))
    model = latelier.load(name)
    assert {"description": model.description, **model.card} == stated


def test_the_default_size_is_the_trained_size(pipe):
    picture = pipe.generate(prompt="a red apple on a blue background", seed=7, steps=4)[0]
    assert picture.image.size == (64, 64)
    assert picture.seed == 7


def test_text_and_class_both_change_the_picture(pipe):
    options = [{}, {"prompt": "a cat on a red background"}, {"class_label": 3}]
    hashes = {pixel_hash(pipe.generate(seed=7, steps=4, **each)[0].image) for each in options}
    assert len(hashes) == len(options)


def test_classes_have_the_names_of_their_emoji(pipe):
    names = [glyph.name for glyph in vocabulary("basic")]
    assert pipe.conditioners["class_label"].vocabulary() == tuple(names)
    label = pipe.input_schemas()["class_label"]["properties"]["label"]
    assert label["anyOf"][0]["enum"] == names
    options = ["cat", names.index("cat")]
    hashes = {
        pixel_hash(pipe.generate(class_label=each, seed=7, steps=2)[0].image) for each in options
    }
    assert len(hashes) == 1


def test_every_word_of_the_captions_is_known(pipe):
    text = pipe.conditioners["text"]
    scenes = EmojiScenes(seed=11)
    for index in range(40):
        assert text.check(Text(text=scenes[index]["prompt"])) == ()
    for glyph in vocabulary("basic"):
        assert text.check(Text(text=glyph.name)) == ()


def test_unknown_words_get_a_warning(pipe):
    (message,) = pipe.conditioners["text"].check(Text(text="two dogs"))
    assert "'two', 'dogs' (nearest: 'dog'" in message


def test_a_named_background_is_drawn(pipe):
    prompts = [f"a cat on a {color} background" for color in ("red", "green", "blue")]
    pictures = pipe.generate(prompt=prompts, seed=7)
    corners = [picture.image.getpixel((1, 1)) for picture in pictures]
    assert [max(range(3), key=corner.__getitem__) for corner in corners] == [0, 1, 2]


def test_a_picture_is_replayed_to_the_same_bits(pipe, tmp_path: Path):
    path = tmp_path / "cat.png"
    pipe.generate(prompt="a cat", seed=3, steps=3)[0].save(path)
    assert replay(path).verdict == "identical"


def test_scenes_draws_what_a_prompt_mentions(scenes, tmp_path: Path):
    [picture] = scenes.generate(
        prompt="two dogs to the left of an owl in a meadow", seed=7, steps=4
    )
    assert picture.image.size == (128, 128)
    drew = picture.provenance["drew"]
    assert [each["name"] for each in drew] == ["dog", "dog", "owl"]
    assert max(each["box"][2] for each in drew[:2]) <= drew[2]["box"][0]
    picture.save(tmp_path / "dogs.png")
    assert replay(tmp_path / "dogs.png").verdict == "identical"


def test_scenes_paints_the_background_that_a_prompt_names(scenes):
    prompts = [f"a cat on a {color} background" for color in ("red", "green", "blue")]
    pictures = scenes.generate(prompt=prompts, seed=7)
    corners = [picture.image.getpixel((2, 2)) for picture in pictures]
    assert [max(range(3), key=corner.__getitem__) for corner in corners] == [0, 1, 2]


def test_scenes_shows_a_drawing_of_ones_own_where_it_is_placed(scenes):
    reference = {"pictures": [Image.new("RGBA", (8, 8), "red")], "boxes": [[0.2, 0.3, 0.6, 0.9]]}
    [picture] = scenes.generate(prompt="#1 on a blue background", reference=reference, seed=7)
    red, _, blue = picture.image.resize((10, 10)).getpixel((4, 5))
    assert red > 180 > 100 > blue
    red, _, blue = picture.image.resize((10, 10)).getpixel((8, 2))
    assert blue > red


def test_scenes_draws_the_things_of_a_painted_map(scenes):
    names = scenes.conditioners["semantic_map"].config.names
    painted = Image.new("L", (128, 128), names.index("sky"))
    painted.paste(names.index("animals and nature"), (30, 40, 100, 110))
    [picture] = scenes.generate(semantic_map=painted, seed=7, steps=2)
    [drew] = picture.provenance["drew"]
    groups = {entry.name: entry.group for entry in emoji_database().entries}
    assert groups[drew["name"]] == "animals and nature"
    assert set(groups.values()) <= {*names, "flags"}
