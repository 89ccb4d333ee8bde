"""Pictures too large for the PNG: what is stored of them, and replaying with their files."""

import json

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import latelier
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen
from latelier.contracts.images.types import Image as Picture
from latelier.pipeline.replay.replay import replay
from latelier.provenance import image_files
from latelier.provenance.image_files import read_provenance
from latelier.provenance.large_pictures import LIMIT, with_large_pictures, without_large_pictures

ROOM = 4000


@pytest.fixture
def little_room(monkeypatch):
    """Hold provenance to a few characters; Pillow then reads no more than four times as many."""
    monkeypatch.setattr(
        image_files, "without_large_pictures", lambda given: without_large_pictures(given, ROOM)
    )
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", 4 * ROOM)


def noisy(seed, size=(64, 48)):
    levels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(levels)


@pytest.fixture
def started(tiny, tmp_path, little_room):
    """A picture that started from a large one; the model and the large one lie next to it."""
    tiny.save(tmp_path / "model")
    noisy(1).save(tmp_path / "start.png")
    pipeline = latelier.load(tmp_path / "model", device="cpu", atelier=tiny.atelier)
    mask = Image.new("L", (64, 48))
    mask.paste(255, (32, 0, 64, 48))
    keywords = {"prompt": "a red cat", "seed": 3, "steps": 2, "size": (48, 32)}
    (picture,) = pipeline.generate(**keywords, init_image=tmp_path / "start.png", mask=mask)
    picture.save(tmp_path / "made.png")
    return tmp_path / "made.png"


def test_the_limit_is_below_that_of_common_readers():
    assert LIMIT <= PngImagePlugin.MAX_TEXT_MEMORY / 2


def test_a_large_picture_is_stored_as_its_hash_and_a_mask_whole(started):
    _, message = read_provenance(started)
    (stored,), (mask,) = message["request"]["init_image"], message["request"]["mask"]
    assert (stored["mode"], stored["size"]) == ("RGB", [48, 32])
    assert len(stored["picture_sha256"]) == 64
    assert mask.startswith("data:image/png;base64,")


def test_replay_accepts_the_input_file(started, built_ins):
    with pytest.raises(InvalidInputError, match=r"--picture: that of 48 x 32 pixels"):
        replay(started, atelier=built_ins)
    noisy(2).save(started.parent / "other.png")
    files = [started.parent / "other.png"]
    with pytest.raises(InvalidInputError, match="none of the 1 given is that of 48 x 32 pixels"):
        replay(started, pictures=files, atelier=built_ins)
    files.append(started.parent / "start.png")
    report = replay(started, pictures=files, atelier=built_ins)
    assert report.verdict == "identical"
    # what was made again is saved as the first was
    report.picture.save(started.parent / "again.png")
    assert (started.parent / "again.png").read_bytes() == started.read_bytes()


def test_unreadable_files_are_an_error(started, built_ins):
    with pytest.raises(InvalidInputError, match=r"no image can be read from '.*nowhere\.png'"):
        replay(started, pictures=[started.parent / "nowhere.png"], atelier=built_ins)


def test_small_pictures_are_stored_in_full(little_room, monkeypatch):
    small = {"request": {"init_image": ["data:image/png;base64,x"]}, "prompt": "y"}
    assert without_large_pictures(small) is small


class Given(Frozen):
    picture: Picture


def uri(image):
    return Given.model_construct(picture=image).model_dump(mode="json")["picture"]


def test_the_largest_go_first_and_no_more_than_needed():
    large, middle, small = (uri(noisy(k, (k, 20))) for k in (60, 40, 20))
    given = {"a": {"b": [small, large, small]}, "c": middle, "d": large}
    room = len(json.dumps({**given, "a": {"b": [small, "", small]}, "d": ""})) + 10
    stored = without_large_pictures(given, room)
    assert stored["a"]["b"][1] == stored["d"] != large
    assert (stored["a"]["b"][0], stored["c"]) == (small, middle)
    assert without_large_pictures(given, 10)["a"]["b"][0]["size"] == [20, 20]


def test_pictures_of_several_modes_are_recognized(tmp_path):
    mask = Image.new("L", (30, 20), 7)
    labels = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30))
    given = {"mask": uri(mask), "labels": uri(labels), "photo": uri(noisy(4))}
    stored = without_large_pictures(given, 1)
    files = []
    for name, image in {"mask": mask, "labels": labels, "photo": noisy(4)}.items():
        files.append(tmp_path / f"{name}.png")
        image.save(files[-1])
    found = with_large_pictures(stored, files, "it")
    assert found["mask"].tobytes() == mask.tobytes()
    assert np.array_equal(np.asarray(found["labels"]), np.asarray(labels))
    assert found["photo"].tobytes() == noisy(4).tobytes()


@pytest.mark.parametrize("damage", [{"mode": "?"}, {"size": 3}, {"size": [0, -1]}])
def test_a_damaged_reference_is_an_error(damage, tmp_path):
    noisy(4).save(tmp_path / "a.png")
    stored = without_large_pictures({"photo": uri(noisy(4))}, 1)
    stored["photo"] |= damage
    with pytest.raises(InvalidInputError, match="too large for its provenance"):
        with_large_pictures(stored, [tmp_path / "a.png"], "it")
