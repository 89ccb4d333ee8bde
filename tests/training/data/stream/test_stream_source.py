"""Streamed samples as a training sees them."""

import io
import json
import pickle

import pytest
import torch
from PIL import Image

from latelier.contracts.errors import DataError
from latelier.data.streaming import shards
from latelier.training.data.datasets import collate, make_held_out_samples, make_training_samples
from latelier.training.data.stream import order, stream_source


def png(value, size=(8, 6), mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size, (value,) * 3 if mode == "RGB" else value).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def _without_memory():
    """Each test has a server of its own, perhaps at the same port."""
    yield
    stream_source._read_first.cache_clear()
    stream_source._read_held_out.cache_clear()


@pytest.fixture
def url(shard_server):
    """A pattern of four shards of 16 pictures, each with its number as grey and caption."""
    for shard in range(4):
        numbers = range(16 * shard, 16 * shard + 16)
        files = [{f"{k}.png": png(k), f"{k}.txt": str(k).encode()} for k in numbers]
        shard_server.add(f"{shard:03}.tar", {k: v for each in files for k, v in each.items()})
    return f"{shard_server.url}/{{000..003}}.tar"


def prompts(samples):
    return [int(samples[position]["prompt"]) for position in range(len(samples))]


def test_every_picture_is_as_frequent_and_none_is_held_out(url, training):
    config = training(steps=100, url=url, size=4)
    samples = make_training_samples(config)
    held_out = set(prompts(make_held_out_samples(config, 100)))
    assert 1 <= len(held_out) <= 16
    found = prompts(samples)
    assert set(found) == set(range(64)) - held_out
    assert max(map(found.count, set(found))) <= 12  # 6.5 on average
    assert found[:20] != sorted(found[:20])
    sample = samples[0]
    grey = torch.tensor(int(sample["prompt"]) / 127.5 - 1)
    assert (sample["image"].shape, sample["index"]) == ((3, 4, 4), 0)
    assert torch.allclose(sample["image"], grey, atol=1e-6)


def test_held_out_samples_are_the_same_each_time_and_no_more_than_needed(url, training):
    config = training(url=url, size=4, held_out={"share": 0.5})
    samples = make_held_out_samples(config, 5)
    assert len(samples) == 5
    assert prompts(samples) == prompts(make_held_out_samples(config, 5))
    assert samples[3]["prompt"] == str(prompts(samples)[3])


def test_processes_have_orders_of_their_own(url, training):
    samples = make_training_samples(training(steps=32, url=url, size=4))
    copies = [pickle.loads(pickle.dumps(samples)) for _ in range(3)]
    first = [copies[k][first]["prompt"] for k, first in enumerate((0, 0, 64))]
    rest = [
        [copy[position]["prompt"] for position in range(start, start + 30)]
        for copy, start in zip(copies, (0, 0, 64), strict=True)
    ]
    assert first[0] == first[1]
    assert rest[0] == rest[1]
    assert rest[0] != rest[2]


def test_data_workers_open_connections_of_their_own(url, training):
    samples = make_training_samples(training(url=url, size=4))
    assert samples[0]["prompt"]  # the parent has a connection, which the workers must not share
    loader = torch.utils.data.DataLoader(
        samples, batch_size=4, collate_fn=collate, num_workers=2, timeout=60
    )
    batches = list(loader)
    assert [batch["index"] for batch in batches] == [
        list(range(4 * k, 4 * k + 4)) for k in range(10)
    ]


def test_few_samples_are_held_in_memory(url, training, monkeypatch):
    monkeypatch.setattr(order, "_MAX_BYTES", 1000)
    samples = make_training_samples(training(steps=32, url=url, size=4))
    assert len(set(prompts(samples))) > 40


def test_annotations_are_those_of_shards_on_disk(shard_server, training):
    row = {"caption": "two", "label": 3, "objects": {"bbox": [[0, 0, 4, 6]], "categories": [1]}}
    url = shard_server.add(
        "a.tar",
        {
            "1.png": png(0),
            "1.txt": b"one",
            "1.json": json.dumps(row).encode(),
            "1.semantic_map.png": png(7, mode="L"),
            "1.mask.png": png(255, mode="L"),
        },
    )
    config = training(url=url, size=[8, 6], held_out={"path": "elsewhere"})
    source = make_training_samples_without_held_out(config).sources[0]
    assert source.list_fields() >= {"image", "prompt", "class_label", "layout", "mask", "index"}
    source.check_fields({"layout": 2})
    with pytest.raises(DataError, match="the first 16 samples have no 'angle'"):
        source.check_fields({"angle": None})


def make_training_samples_without_held_out(config):
    data = config.data.model_copy(
        update={"held_out": config.data.held_out.model_copy(update={"path": None, "share": 1e-9})}
    )
    return make_training_samples(config.model_copy(update={"data": data}))


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        ({"x.png": b"no picture", "x.txt": b"1"}, "its content is not a known image format"),
        ({"x.txt": b"1"}, "no picture among its files: txt"),
        ({"x.png": png(1), "x.cls": b"cat"}, "expected a class as a number from 0"),
        ({"x.png": png(1), "x.json": b"{"}, "invalid JSON"),
    ],
)
def test_a_damaged_sample_is_replaced_and_reported(shard_server, training, damaged, reason):
    files = {
        f"{k}{end}": png(k) if end == ".png" else b"1" for k in range(8) for end in (".png", ".txt")
    }
    config = training(url=shard_server.add("a.tar", {**files, **damaged}), size=4)
    config.out.mkdir()
    assert prompts(make_training_samples(config)) == [1] * 40
    [line] = (config.out / "data-report.jsonl").read_text().splitlines()
    reported = json.loads(line)
    assert reported["sample"] == "a.tar: x"
    assert reported["reason"].startswith(reason)


def test_a_shard_without_a_usable_sample_is_an_error_at_once(shard_server, training):
    url = shard_server.add("a.tar", {"1.png": b"no picture"})
    with pytest.raises(DataError, match=r"a.tar: none of its first samples can be used: a.tar: 1"):
        make_training_samples(training(url=url))
    with pytest.raises(DataError, match="the server answers 404"):
        make_training_samples(training(url=f"{shard_server.url}/{{0..9}}.tar"))


def test_a_stream_of_which_all_or_nothing_is_held_out_is_an_error(url, training):
    all_of_it = training(url=url, size=4, held_out={"share": 0.999})
    nothing = training(url=url, size=4, held_out={"share": 1e-9})
    with pytest.raises(DataError, match="no samples to train on"):
        make_training_samples(all_of_it)[0]
    with pytest.raises(DataError, match="no sample is held out"):
        make_held_out_samples(nothing, 4)


def test_a_connection_that_breaks_does_not_end_the_training(
    url, shard_server, training, monkeypatch
):
    monkeypatch.setattr(shards.time, "sleep", lambda _: None)
    samples = make_training_samples(training(steps=32, url=url, size=4))
    for shard in range(4):
        shard_server.faults[f"/{shard:03}.tar"] = [503, -2000, -9000]
    assert len(set(prompts(samples))) > 40


def test_sources_are_mixed_by_their_weights(url, pictures, training):
    for file in pictures.glob("*.txt"):
        file.write_text("1000")
    sources = [{"url": url, "weight": 1}, {"path": pictures, "weight": 3}]
    samples = make_training_samples(training(steps=50, sources=sources, size=4))
    assert 130 < prompts(samples).count(1000) < 170


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"url": "ftp://host/a.tar"}, "should match pattern"),
        ({"url": "https://host/a.tar", "path": "a"}, "got path and url"),
        ({"url": "https://host/a.tar", "length": 5}, "built-in scenes, not for a url"),
        ({"url": "https://host/a.tar", "buckets": {}}, "buckets and a cache need samples"),
        ({"url": "https://host/a.tar", "cache": "latents"}, "buckets and a cache need samples"),
        ({"sources": [{"url": "https://host/a.tar"}, {"path": "a"}]}, "set a weight for each"),
    ],
)
def test_what_a_url_cannot_have_is_an_error(training, data, message):
    with pytest.raises(ValueError, match=message):
        training(**data)
