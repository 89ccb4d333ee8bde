"""Making a picture again, and saying what differs."""

import json

import numpy as np
import pytest
from PIL import Image

import latelier
from latelier.contracts.errors import InvalidInputError, ModelFileError, UnknownNameError
from latelier.pipeline.replay.replay import replay
from latelier.provenance.image_files import read_provenance, write_image


@pytest.fixture(scope="module")
def replayed_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "labelled"
    latelier.compose(
        first_stage=(
            "autoencoder_kl",
            {"ch": 8, "ch_mult": (1, 2), "num_res_blocks": 1, "num_groups": 4, "attn_type": "none"},
        ),
        denoiser=(
            "unet",
            {
                "in_channels": 4,
                "out_channels": 4,
                "model_channels": 8,
                "channel_mult": (1, 2),
                "num_res_blocks": 1,
                "num_heads": 1,
                "num_groups": 4,
                "vectors": {"class_label": 8},
            },
        ),
        process={"kind": "rectified_flow"},
        conditioners={
            "class_label": ("class_label", {"num_classes": 3, "width": 8, "slot": "vector"})
        },
        defaults={"size": 16, "steps": 2, "schedule": "model"},
        device="cpu",
    ).save(folder)
    return folder


@pytest.fixture
def batch(replayed_model, tmp_path):
    """Two rows of two pictures, drawn with noise at every step."""
    pipeline = latelier.load(replayed_model, device="cpu")
    pictures = pipeline.generate(
        class_label=[0, 2],
        negative={"class_label": 1},
        n=2,
        seed=11,
        sampler={"name": "ddim", "eta": 1},
        guidance=3.0,
    )
    paths = [tmp_path / f"{k}.png" for k in range(4)]
    for picture, path in zip(pictures, paths):
        picture.save(path)
    return paths


def changed(path, change):
    """Write the picture again with other provenance."""
    image, provenance = read_provenance(path)
    change(provenance)
    write_image(path, image, provenance)
    return path


def nudged(path, by):
    """Write the picture again with other pixels."""
    image, provenance = read_provenance(path)
    pixels = np.asarray(image).astype(int)
    pixels[0, 0, 0] += by if pixels[0, 0, 0] < 128 else -by
    write_image(path, Image.fromarray(pixels.astype(np.uint8)), provenance)
    return path


def test_each_picture_is_replayed_in_its_batch(batch):
    for path in batch:
        report = replay(path)
        assert (report.verdict, report.differences, report.altered) == ("identical", (), False)
        assert report.picture.image.tobytes() == Image.open(path).tobytes()
    assert len({Image.open(path).tobytes() for path in batch}) == 4


@pytest.mark.parametrize(
    ("by", "verdict"), [(2, "equal within tolerance"), (3, "different"), (100, "different")]
)
def test_altered_pixels_are_measured_and_reported(batch, by, verdict):
    report = replay(nudged(batch[1], by))
    assert (report.verdict, report.max_difference, report.altered) == (verdict, by, True)


def test_a_different_size_is_reported(batch):
    image, provenance = read_provenance(batch[0])
    write_image(batch[0], image.resize((8, 8)), provenance)
    report = replay(batch[0])
    assert (report.verdict, report.max_difference, report.altered) == ("different", None, True)


@pytest.mark.parametrize(
    ("where", "then", "message"),
    [
        (("latelier",), "0.0.1", "latelier was 0.0.1, is "),
        (("machine", "torch"), "1.0", "torch: was 1.0, is "),
        (("machine", "threads"), 99, "OMP_NUM_THREADS"),
        (("machine", "type"), "abacus", "machine type: was abacus"),
        (("components", "denoiser", "version"), "0.0.1", "'latelier/unet' was version 0.0.1"),
        (("functions", "sampler", "version"), "0.0.1", "'latelier/ddim' was version 0.0.1"),
    ],
)
def test_differences_are_reported(batch, where, then, message):
    def change(provenance):
        *path, last = where
        for key in path:
            provenance = provenance[key]
        provenance[last] = then

    report = replay(changed(batch[0], change))
    (line,) = report.differences
    assert message in line
    assert report.verdict == "identical"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda p: p["components"]["first_stage"].update(weights_sha256="0" * 64),
            "first_stage: the weights had the SHA-256 0000",
        ),
        (
            lambda p: p["components"]["denoiser"].update(config_sha256="0" * 64),
            "denoiser: the configuration has changed",
        ),
        (
            lambda p: p["components"].pop("conditioners.class_label"),
            "conditioners.class_label: is new in the model",
        ),
        (lambda p: p["process"].update(steps=999), "the noise process"),
    ],
)
def test_another_model_is_refused_without_anyway(batch, change, message):
    path = changed(batch[0], change)
    with pytest.raises(ModelFileError, match="was made with another model") as refused:
        replay(path)
    assert message in str(refused.value)
    report = replay(path, anyway=True)
    assert message in report.differences[0]


def test_a_moved_model_can_be_named(batch, replayed_model):
    def moved(provenance):
        provenance["model"]["name"] = "/nowhere/at/all"

    path = changed(batch[0], moved)
    with pytest.raises(UnknownNameError, match="is not where it was"):
        replay(path)
    assert replay(path, model=replayed_model).verdict == "identical"


def test_an_unsaved_model_is_an_error(batch):
    with pytest.raises(InvalidInputError, match="had not been saved"):
        replay(changed(batch[0], lambda provenance: provenance["model"].update(name=None)))


def test_a_missing_sampler_is_an_error(batch):
    def foreign(provenance):
        provenance["functions"]["sampler"] = {"id": "latelier-foo/leap", "version": "1.2"}

    with pytest.raises(ModelFileError, match=r"sampler 'latelier-foo/leap'.*latelier-foo>=1\.2"):
        replay(changed(batch[0], foreign))


def test_a_missing_device_is_replaced_and_reported(batch):
    def elsewhere(provenance):
        provenance["machine"]["device"] = "hpu"

    report = replay(changed(batch[0], elsewhere))
    assert "device: was hpu, is cpu" in report.differences


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.pop("request"),
        lambda p: p["request"].update(steps=0),
        lambda p: p.update(components=[]),
        lambda p: p.update(index=-1),
        lambda p: p.update(index=99),
    ],
)
def test_invalid_provenance_is_an_error(batch, change):
    with pytest.raises(InvalidInputError, match=r"0\.png"):
        replay(changed(batch[0], change))


def test_provenance_of_a_later_version_is_replayed(batch):
    assert replay(changed(batch[0], lambda p: p.update(mood="blue"))).verdict == "identical"


def test_provenance_is_json(batch):
    _, provenance = read_provenance(batch[0])
    assert json.loads(json.dumps(provenance)) == provenance


@pytest.mark.parametrize(
    "change",
    [
        {"init_image": "FILE", "strength": 0.5},
        {"init_image": ["FILE"], "strength": 0.5},
        {"guidance": {"name": "image_guided", "target": "FILE"}},
    ],
)
def test_provenance_cannot_open_files(batch, tmp_path, change):
    Image.new("RGB", (64, 64)).save(tmp_path / "secret.png")
    change = json.loads(json.dumps(change).replace("FILE", str(tmp_path / "secret.png")))
    with pytest.raises(InvalidInputError, match="is not opened for a client"):
        replay(changed(batch[0], lambda p: p["request"].update(change)))
