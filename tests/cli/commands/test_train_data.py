"""Data that a training cannot use: one line that names it, status 2, and nothing written."""

import io
import json

import pytest
import yaml
from PIL import Image

DENOISER = {
    "in_channels": 3,
    "out_channels": 3,
    "model_channels": 8,
    "channel_mult": [1],
    "num_res_blocks": 1,
    "num_heads": 1,
    "num_groups": 4,
    "context_dim": 8,
    "streams": {"it": {"width": 8}},
}
CONDITIONERS = {
    "prompt": {"id": "text", "config": {"width": 8, "layers": 0, "heads": 1, "vocab_size": 320}},
    "class_label": {"id": "class_label", "config": {"num_classes": 2, "width": 8}},
    "layout": {"id": "layout_fourier", "config": {"num_classes": 2, "width": 8, "layers": 0}},
}


@pytest.fixture(scope="module")
def first_stage(tmp_path_factory):
    from latelier.checkpoints.component import new_component, save_component
    from latelier.kernel.default import default_atelier

    folder = tmp_path_factory.mktemp("stage") / "identity"
    save_component(folder, new_component("first_stage", "identity", {}, default_atelier()))
    return folder


@pytest.fixture
def train(cli, tmp_path, first_stage):
    """Trains a denoiser with one conditioner on data, and returns what the command did."""

    def run(source, **data):
        values = {
            "out": str(tmp_path / "run"),
            "steps": 1,
            "batch_size": 2,
            "accelerator": "cpu",
            "first_stage": str(first_stage),
            "denoiser": {"id": "unet", "config": DENOISER},
            "conditioners": {"it": {**CONDITIONERS[source], "source": source}},
            "data": {"size": 8, **data},
        }
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
        return cli("train", "denoiser", "config.yaml")

    return run


@pytest.fixture
def folder(tmp_path):
    """A folder of four pictures and the manifest of given records."""
    path = tmp_path / "pictures"
    path.mkdir()
    for number in range(4):
        Image.new("RGB", (8, 8), (60 * number,) * 3).save(path / f"{number}.png")

    def write(*records):
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (path / "manifest.jsonl").write_text(lines)

    return write


def records(**fields):
    return [{"file": f"{number}.png", **fields} for number in range(4)]


@pytest.mark.parametrize(
    ("source", "lines", "message"),
    [
        ("prompt", records(), "the data samples have no field 'prompt'"),
        ("prompt", [*records(captions=["x"])[:3], records()[3]], "have no caption, such as '3"),
        ("class_label", records(class_label=2), "have a label of 'class_label' outside of 0..1"),
        ("layout", records(boxes=[{"box": [0, 0, 1, 1]}]), "line 1: the field 'boxes.0.label' is"),
        ("layout", records(boxes=[{"box": [0, 0, 2, 1], "label": 0}]), "line 1: 'boxes.0.box.x1'"),
        ("prompt", [{"image": "0.png"}], "line 1: there is no field 'image'"),
        ("prompt", [], "no pictures found"),
        ("prompt", records(captions=["x"])[:1], "has one picture; training needs at least two"),
    ],
)
def test_annotations_that_do_not_fit_are_an_error(train, folder, tmp_path, source, lines, message):
    folder(*lines)
    done = train(source, path="pictures")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert message in done.err
    assert not (tmp_path / "run").exists()


def test_pictures_that_cannot_be_read_are_an_error(train, folder, tmp_path):
    folder(*records(captions=["x"]))
    for path in (tmp_path / "pictures").glob("*.png"):
        path.write_bytes(b"no picture")
    done = train("prompt", path="pictures")
    assert done.status == 2
    assert "its content is not a known image format" in done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"path": "missing"}, "missing: not found; expected a data set"),
        ({"path": "pictures", "buckets": {"step": 0}}, "'data.buckets.step': Input should be"),
        ({"path": "pictures", "size": 0}, "'data.size"),
        ({"path": "pictures", "crop": "middle"}, "'data.crop': Input should be 'center' or"),
        ({"path": "pictures", "cropp": "center"}, "Did you mean 'crop'?"),
        ({"path": "pictures", "cache": "nowhere"}, "nowhere: holds no cache"),
        (
            {"path": "pictures", "dataset": "emoji_scenes"},
            "expected a path, a url or a dataset, got path and",
        ),
        ({"path": "https://example.org/a.tar"}, "download its shards"),
    ],
)
def test_values_of_data_that_are_impossible_are_an_error(train, folder, tmp_path, data, message):
    folder(*records(captions=["x"]))
    done = train("prompt", **data)
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert not (tmp_path / "run").exists()


def test_a_bare_folder_with_captions_trains(train, tmp_path):
    (tmp_path / "bare").mkdir()
    for number in range(4):
        gradient = Image.linear_gradient("L").resize((9 + number, 8))
        gradient.save(tmp_path / f"bare/{number}.png")
        (tmp_path / f"bare/{number}.txt").write_text("a picture")
    done = train("prompt", path="bare")
    assert done.status == 0, done.err
    assert done.out.endswith("run/result\n")


def test_a_url_streams_and_says_that_resuming_is_not_exact(train, tmp_path, shard_server):
    files = {}
    for number in range(64):
        buffer = io.BytesIO()
        Image.linear_gradient("L").resize((9, 8)).save(buffer, "PNG")
        files |= {f"{number}.png": buffer.getvalue(), f"{number}.txt": b"a picture"}
    url = shard_server.add("a.tar", files)
    done = train("prompt", url=url)
    assert done.status == 0, done.err
    assert done.err.count("data.url streams: a run that is resumed goes on with other samples") == 1
    lacking = train("layout", url=url)
    assert (lacking.status, lacking.out) == (2, "")
    assert "the data samples have no field 'layout'" in lacking.err
