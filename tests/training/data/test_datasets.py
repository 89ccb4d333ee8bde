import json
import pickle
from collections import Counter

import pytest
import torch
from PIL import Image

from latelier.contracts.errors import DataError, InvalidConfigError
from latelier.data.converters.recognize import open_manifest
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.manifest.manifest import write_manifest
from latelier.data.pictures import UnusableError
from latelier.training.data.datasets import (
    collate,
    make_held_out_samples,
    make_training_samples,
)


def prompts(samples):
    return [samples[position]["prompt"] for position in range(len(samples))]


def test_a_folder_of_pictures_is_a_data_set(pictures, training):
    config = training(path=pictures, size=8)
    samples = make_training_samples(config)
    assert len(samples) == 40
    sample = samples[7]
    assert (sample["image"].shape, sample["index"]) == ((3, 8, 8), 7)
    number = int(sample["prompt"].removeprefix("picture "))
    assert torch.allclose(sample["image"], torch.tensor(10 * number / 127.5 - 1), atol=1e-6)


def test_each_epoch_has_each_picture_once(pictures, training):
    samples = make_training_samples(training(path=pictures, size=8))
    held_out = prompts(make_held_out_samples(training(path=pictures, size=8), 100))
    length = 20 - len(held_out)
    epochs = [prompts(samples)[:length], prompts(samples)[length : 2 * length]]
    assert len(held_out) == 5  # a quarter: the share alone would be one or two
    assert sorted(epochs[0]) == sorted(epochs[1])
    assert epochs[0] != epochs[1]
    assert {*epochs[0], *held_out} == {f"picture {k}" for k in range(20)}


@pytest.mark.parametrize(
    ("count", "share", "expected"), [(40, 0.01, {8}), (40, 0.5, range(12, 29))]
)
def test_validation_has_at_least_eight_pictures(tmp_path, training, count, share, expected):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(count):
        Image.new("RGB", (4, 4)).save(folder / f"{number}.png")
    config = training(path=folder, size=4, held_out={"share": share})
    assert len(make_held_out_samples(config, count)) in expected


def test_a_position_has_the_same_sample_wherever_it_is_read(pictures, training):
    config = training(path=pictures, size=8, crop="random", crop_scale=[0.5, 1], flip=True)
    samples = make_training_samples(config)
    again = pickle.loads(pickle.dumps(make_training_samples(config)))
    for position in (31, 2, 17):
        one, other = samples[position], again[position]
        assert one["prompt"] == other["prompt"]
        assert torch.equal(one["image"], other["image"])


def test_scenes_stay_as_they_are(training):
    config = training(config={"size": 16}, seed=3)
    sample = make_training_samples(config)[5]
    scene = EmojiScenes(SceneConfig(size=16), seed=3)[5]
    assert torch.equal(sample["image"], scene["image"])
    assert sample["prompt"] == scene["prompt"]
    held_out = make_held_out_samples(config, 4)
    assert len(held_out) == 4
    assert torch.equal(
        held_out[2]["image"], EmojiScenes(SceneConfig(size=16), seed=1_000_003)[2]["image"]
    )


def test_sources_are_mixed_by_their_weights(pictures, training):
    scenes = {"dataset": "emoji_scenes", "config": {"size": 16}, "weight": 1}
    sources = [{"path": pictures, "weight": 3}, scenes]
    samples = make_training_samples(training(sources=sources, size=16, steps=100))
    counts = Counter(prompt.startswith("picture") for prompt in prompts(samples))
    assert 270 < counts[True] < 330


def test_a_source_without_weights_is_as_frequent_as_its_pictures(pictures, training, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for number in range(2):
        Image.new("RGB", (8, 8)).save(other / f"{number}.png")
        (other / f"{number}.txt").write_text("other")
    sources = [{"path": pictures}, {"path": other}]
    counts = Counter(prompts(make_training_samples(training(sources=sources, size=8, steps=100))))
    assert 12 <= counts["other"] <= 28


def test_a_damaged_picture_is_replaced_and_reported(pictures, training):
    config = training(path=pictures, size=8)
    damaged = next(k for k in range(20) if f"picture {k}" in prompts(make_training_samples(config)))
    (pictures / f"{damaged:02d}.png").write_bytes(b"no picture")
    samples, again = make_training_samples(config), make_training_samples(config)
    assert samples[0]
    assert not config.out.exists()  # nothing is written before the run
    config.out.mkdir()
    assert f"picture {damaged}" not in prompts(samples)
    assert prompts(samples) == prompts(again)
    [line] = (config.out / "data-report.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "source": str(pictures),
        "sample": f"{damaged:02d}.png",
        "reason": "its content is not a known image format",
    }


def test_a_data_set_without_a_usable_picture_is_an_error(pictures, training):
    for file in pictures.glob("*.png"):
        file.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"none of 65 samples can be used: \d\d.png: its content"):
        make_training_samples(training(path=pictures))[0]


@pytest.mark.parametrize("place", [".", "run", "a/b"])
def test_a_run_inside_of_its_pictures_is_refused(pictures, training, place):
    config = training(path=pictures, size=8).model_copy(update={"out": pictures / place})
    with pytest.raises(InvalidConfigError, match=r"^out: .* is in the data set"):
        make_training_samples(config)
    (pictures / "manifest.jsonl").write_text('{"file": "00.png"}\n{"file": "01.png"}\n')
    assert len(make_training_samples(config).sources) == 1  # its pictures are listed


def test_a_report_that_cannot_be_written_stops_nothing(pictures, training):
    (pictures / "07.png").write_bytes(b"no picture")
    config = training(path=pictures, size=8)
    (config.out / "data-report.jsonl").mkdir(parents=True)
    samples = make_training_samples(config)
    assert all("image" in samples[position] for position in range(20))


def test_a_missing_held_out_path_is_an_error_before_the_training(pictures, training, tmp_path):
    config = training(path=pictures, size=8, held_out={"path": tmp_path / "nowhere"})
    with pytest.raises(DataError, match="nowhere: not found"):
        make_training_samples(config)


def test_a_held_out_path_leaves_all_pictures_to_training(pictures, training, tmp_path):
    held_out = tmp_path / "held-out"
    held_out.mkdir()
    Image.new("RGB", (8, 8), "white").save(held_out / "white.png")
    config = training(path=pictures, size=8, held_out={"path": held_out})
    assert len(set(prompts(make_training_samples(config)))) == 20
    sample = make_held_out_samples(config, 5)[0]
    assert sample["image"].min() == 1


def test_buckets_keep_every_picture_and_one_size_a_batch(training, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number in range(30):
        size = [(64, 64), (96, 48), (48, 96)][number % 3]
        Image.new("RGB", size, (number,) * 3).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(str(number))
    steps = 32 * 5  # a round: 32 batches for each of the five sizes
    config = training(steps=steps, path=folder, size=32, buckets={"step": 8})
    samples = make_training_samples(config)
    sizes = []
    for step in range(steps):
        batch = collate([samples[4 * step + row] for row in range(4)])
        sizes.append(tuple(batch["image"].shape[2:]))
    assert {(32, 32), (48, 24), (24, 48)} == set(sizes)
    counts = Counter(prompts(samples))
    assert len(counts) == 30 - len(make_held_out_samples(config, 30))
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("data", [{"size": 32}, {"size": 16, "config": {"size": 32}}])
def test_another_size_than_that_of_the_scenes_is_an_error(training, data):
    with pytest.raises(InvalidConfigError, match="expected that of the scenes"):
        make_training_samples(training(**data))


def test_buckets_with_scenes_are_an_error(training):
    with pytest.raises(InvalidConfigError, match="scenes have one size"):
        make_training_samples(training(buckets={}))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "missing", "missing: not found"),
        (lambda folder: folder, "no pictures found"),
    ],
)
def test_no_data_is_an_error(tmp_path, training, make, message):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=message):
        make_training_samples(training(path=make(empty)))


def test_a_field_that_pictures_lack_is_an_error_with_their_names(pictures, training):
    (pictures / "03.txt").unlink()
    samples = make_training_samples(training(path=pictures))
    with pytest.raises(DataError, match=r"1 of 20 pictures have no caption, such as '03.png'"):
        samples.check_fields({"prompt": None})
    with pytest.raises(DataError, match=r"20 of 20 pictures have no boxes"):
        samples.check_fields({"image": None, "layout": 3})
    templates = {"templates": ["{caption}", "a picture"]}
    make_training_samples(training(path=pictures, captions=templates)).check_fields(
        {"prompt": None}
    )


def test_a_label_out_of_range_is_an_error_with_its_picture(pictures, training):
    lines = [
        {"file": f"{k:02d}.png", "class_label": k, "boxes": [{"box": [0, 0, 1, 1], "label": k}]}
        for k in range(4)
    ]
    (pictures / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    samples = make_training_samples(training(path=pictures))
    samples.check_fields({"class_label": 4, "layout": 4})
    for field in ("class_label", "layout"):
        message = f"1 of 4 pictures have a label of '{field}' outside of 0..2, such as '03.png'"
        with pytest.raises(DataError, match=message):
            samples.check_fields({field: 3})


def test_scenes_lack_other_fields(training):
    with pytest.raises(InvalidConfigError, match=r"no field 'promt'. Did you mean 'prompt'"):
        make_training_samples(training()).check_fields({"promt": None})


def test_a_resumed_run_goes_on_with_the_files_it_was_started_with(pictures, training):
    config = training(path=pictures, size=8)
    samples = make_training_samples(config)
    before = prompts(samples)
    config.out.mkdir()
    (pictures / "19.heic").write_bytes(b"")
    make_training_samples(config).store_manifests(config.out)
    assert "format .heic are not read" in (config.out / "data-report.jsonl").read_text()
    Image.new("RGB", (8, 8)).save(pictures / "00-new.png")
    (pictures / "00-new.txt").write_text("new")
    assert "new" in prompts(make_training_samples(config))  # no checkpoint: a new run
    make_training_samples(config).store_manifests(config.out)
    (config.out / "checkpoints/step-00000001").mkdir(parents=True)
    (pictures / "00-new.png").unlink()
    Image.new("RGB", (8, 8)).save(pictures / "newer.png")
    resumed = make_training_samples(config)
    assert len(resumed.sources[0].manifest) == 21
    assert before != prompts(resumed)


def test_a_resumed_run_reads_the_root_that_its_owner_named(pictures, training, tmp_path):
    path = tmp_path / "elsewhere" / "manifest.jsonl"
    write_manifest(open_manifest(pictures), path)
    with pytest.raises(DataError, match="'root': expected a folder at or below"):
        make_training_samples(training(path=path, size=8))
    with pytest.raises(DataError, match="'root': expected a folder at or below"):
        make_training_samples(training(path=pictures, size=8, held_out={"path": path}))
    held_out = {"path": path, "root": pictures}
    config = training(path=path, root=pictures, size=8, held_out=held_out)
    samples = make_training_samples(config)
    samples.store_manifests(config.out)
    (config.out / "checkpoints/step-00000001").mkdir(parents=True)
    path.write_text('{"file": "missing.png"}\n{"file": "missing.png"}\n')
    assert prompts(make_training_samples(config.model_copy())) == prompts(samples)


@pytest.mark.parametrize(
    "data", [{"root": "a"}, {"held_out": {"root": "a"}}, {"root": "a", "sources": [{"path": "b"}]}]
)
def test_a_root_without_a_path_is_an_error(training, data):
    with pytest.raises(ValueError, match="root is for a path"):
        training(**data)


def test_a_sample_that_a_preparation_refuses_is_replaced(pictures, training):
    config = training(path=pictures, size=8)
    config.out.mkdir()

    def prepare(given):
        if any(sample["prompt"] == "picture 5" for sample in given):
            raise UnusableError("five is refused")
        return [{"length": len(sample["prompt"])} for sample in given]

    samples = make_training_samples(config).with_preparation(prepare)
    assert samples[0]["length"] == len(samples[0]["prompt"])
    assert "picture 5" not in prompts(samples)
    assert "five is refused" in (config.out / "data-report.jsonl").read_text()
    assert samples.name_of(3).startswith("3 (")
    assert samples.describe(3)["prompt"].startswith("picture")
