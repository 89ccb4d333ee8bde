import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.checkpoints.component import new_component, save_component
from latelier.contracts.errors import DataError, InvalidConfigError, UnknownNameError
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.configs import AutoencoderKLConfig
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.caching import open_caches
from latelier.training.components import load_first_stage
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.data.cache import build
from latelier.training.data.cache.latents import encode_pictures
from latelier.training.data.datasets import make_training_samples, use_cache
from latelier.training.data.features.values import NO_CONDITIONS

AUTOENCODER = {"ch": 8, "ch_mult": [1, 2], "num_res_blocks": 1, "num_groups": 4, "embed_dim": 4}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def first_stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first-stage")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        component = new_component(
            "first_stage", "autoencoder_kl", {**AUTOENCODER, "scale_factor": 0.5}, default_atelier()
        )
        save_component(folder / "one", component)
        other = new_component("first_stage", "autoencoder_kl", AUTOENCODER, default_atelier())
        save_component(folder / "other", other)
    return folder / "one"


@pytest.fixture
def config(tmp_path, pictures, first_stage):
    """Makes the configuration of a denoiser on cached latents, and its file."""

    def make(stage=first_stage, cache=None, **data):
        import yaml

        values = {
            "out": str(tmp_path / "run"),
            "steps": 10,
            "batch_size": 4,
            "first_stage": str(stage),
            "denoiser": {"id": "unet"},
            "process": {"kind": "rectified_flow"},
            "data": {
                "path": str(pictures),
                "size": 16,
                "cache": cache or str(tmp_path / "cache"),
                **data,
            },
        }
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump(values))
        return DenoiserTraining.model_validate(values), file

    return make


def write(file, workers=0):
    latents, _ = open_caches("denoiser", file, default_atelier())
    return latents.write(
        lambda jobs: latents.encode(jobs, CPU, workers), lambda results, _: results
    )


def samples_of(config):
    name = config.first_stage
    first_stage = load_first_stage("first_stage", name, default_atelier())
    return use_cache(make_training_samples(config), config, first_stage, name, NO_CONDITIONS)


def test_samples_have_the_moments_of_their_pictures(config, first_stage):
    training, file = config(cache=None)
    state = write(file)
    assert (state.wanted, state.written, state.is_complete) == (state.present, state.present, True)
    module = load_first_stage("first_stage", str(first_stage), default_atelier()).module
    cached = samples_of(training)
    plain = training.model_copy(update={"data": training.data.model_copy(update={"cache": None})})
    pictures = make_training_samples(plain)
    for position in (0, 17, 33):
        sample, picture = cached[position], pictures[position]
        assert "image" not in sample
        assert (sample["prompt"], sample["index"]) == (picture["prompt"], position)
        mean, logvar = module.posterior(picture["image"][None])
        expected = torch.cat([mean * 0.5, logvar + 2 * np.log(0.5)], dim=1)[0]
        torch.testing.assert_close(sample["moments"].float(), expected, rtol=2e-3, atol=2e-3)


def test_only_what_is_missing_is_written(config, pictures):
    _, file = config()
    first = write(file)
    assert write(file).written == 0
    (pictures / "03.png").unlink()
    Image.new("RGB", (24, 16), "red").save(pictures / "new.png")
    again = write(file)
    assert again.written == 1
    assert again.present == first.present
    assert again.stale == 1


def test_views_of_another_size_are_missing(config):
    _, file = config(size=16)
    write(file)
    training, file = config(size=32)
    with pytest.raises(DataError, match=r"lacks \d+ of \d+ views"):
        samples_of(training)
    assert write(file).is_complete
    assert samples_of(training)[0]["moments"].shape == (8, 16, 16)


def test_a_changed_picture_is_missing_until_it_is_encoded(config, pictures):
    training, file = config()
    write(file)
    for path in pictures.glob("*.png"):
        Image.new("RGB", (24, 16), "red").save(path)
    with pytest.raises(DataError, match=r"lacks \d+ of \d+ views, such as that of '02.png'"):
        samples_of(training)
    assert write(file).written == 1  # equal pictures are stored once
    assert samples_of(training)[0]["moments"].shape == (8, 8, 8)


def test_a_killed_process_is_continued(config, monkeypatch):
    _, file = config()
    monkeypatch.setattr(build, "SHARD_VIEWS", 4)
    monkeypatch.setattr(build, "_BATCH", 2)
    original, calls = build.write_shard, []

    def fail(folder, views):
        calls.append(len(views))
        if len(calls) == 3:
            raise OSError("No space left on device")
        original(folder, views)

    with monkeypatch.context() as patch:
        patch.setattr(build, "write_shard", fail)
        with pytest.raises(OSError, match="No space"):
            write(file)
    state = write(file)
    assert state.is_complete
    assert state.written == state.wanted - 8


def test_a_cache_of_another_first_stage_is_an_error_with_both(config, first_stage):
    _, file = config()
    write(file)
    training, file = config(stage=first_stage.parent / "other")
    with pytest.raises(DataError) as caught:
        samples_of(training)
    assert f"of '{first_stage}'" in str(caught.value)
    assert f"of '{first_stage.parent / 'other'}'" in str(caught.value)
    with pytest.raises(DataError, match=r"name another folder in data.cache"):
        write(file)


def test_a_renamed_first_stage_is_the_same(config, first_stage, tmp_path):
    _, file = config()
    write(file)
    shutil.copytree(first_stage, tmp_path / "renamed")
    _, file = config(stage=tmp_path / "renamed")
    assert write(file).written == 0


def test_random_crops_need_several_views(config, tmp_path):
    _, file = config(crop="random")
    with pytest.raises(InvalidConfigError, match=r"set data.cache.views, such as 4"):
        write(file)
    training, file = config(crop="random", cache={"folder": str(tmp_path / "cache"), "views": 3})
    state = write(file)
    assert state.is_complete
    samples = samples_of(training)
    assert samples[5]["moments"].equal(samples_of(training)[5]["moments"])
    _, file = config(cache={"folder": str(tmp_path / "cache"), "views": 3})
    with pytest.raises(InvalidConfigError, match="are the same without"):
        write(file)


def test_a_damaged_picture_is_replaced_in_training(config, pictures):
    training, file = config()
    (pictures / "05.png").write_bytes(b"no picture")
    state = write(file)
    assert state.unusable == {"05.png": "its content is not a known image format"}
    assert state.is_complete
    assert {samples_of(training)[k]["prompt"] for k in range(40)}.isdisjoint({"picture 5"})


def test_buckets_are_cached_in_their_own_sizes(config, tmp_path, pictures):
    for number in range(20, 26):
        Image.new("RGB", (16, 24), (number,) * 3).save(pictures / f"{number}.png")
    training, file = config(buckets={"step": 8})
    assert write(file).is_complete
    samples = samples_of(training)
    for step in range(10):
        shapes = {tuple(samples[4 * step + row]["moments"].shape) for row in range(4)}
        assert len(shapes) == 1


def test_a_replacement_has_the_size_of_its_bucket(config, pictures):
    for number in range(20, 40):
        Image.new("RGB", (16, 24), (number,) * 3).save(pictures / f"{number}.png")
    for number in (*range(5), *range(20, 25)):
        path = pictures / f"{number:02d}.png"
        path.write_bytes(path.read_bytes()[:45])  # its header still has the size
    training, file = config(size=32, buckets={"step": 8})
    state = write(file)
    assert state.unusable
    samples = samples_of(training)
    for step in range(10):
        shapes = {tuple(samples[4 * step + row]["moments"].shape) for row in range(4)}
        assert len(shapes) == 1


def test_a_bucket_without_a_usable_sample_takes_those_of_the_nearest_ratio(config, pictures):
    sizes = {"tall": (16, 32), "wide": (32, 16), "square": (24, 24)}
    for number in range(20, 50):
        name = ("tall", "wide", "square")[number % 3]
        Image.new("RGB", sizes[name], (number,) * 3).save(pictures / f"{number}-{name}.png")
        (pictures / f"{number}-{name}.txt").write_text(name)
    for path in pictures.glob("*tall.png"):
        path.write_bytes(path.read_bytes()[:45])  # its header still has the size
    training, file = config(size=32, buckets={"step": 8})
    assert write(file).is_complete
    training.out.mkdir()
    samples, again = samples_of(training), samples_of(training)
    rows = [samples[position] for position in range(40)]
    shapes = [tuple(row["moments"].shape) for row in rows]
    assert all(len(set(shapes[first : first + 4])) == 1 for first in range(0, 40, 4))
    assert "tall" not in {row["prompt"] for row in rows}
    assert [again[position]["prompt"] for position in range(40)] == [row["prompt"] for row in rows]
    replaced = [row["prompt"] for k, row in enumerate(rows) if "-tall" in samples.name_of(k)]
    assert replaced
    assert set(replaced) == {"square"}
    assert "-tall.png" in (training.out / "data-report.jsonl").read_text()


def test_buckets_that_are_all_damaged_are_an_error(config, pictures):
    for path in pictures.glob("*.png"):
        path.write_bytes(path.read_bytes()[:45])
    training, file = config(size=32, buckets={"step": 8})
    write(file)
    with pytest.raises(DataError, match=r"none of 15 samples can be used: \d\d.png: "):
        samples_of(training)[0]


@pytest.mark.parametrize("slots", [False, True])
def test_scenes_are_cached_with_all_their_fields(config, tmp_path, slots):
    values = {"path": None, "dataset": "emoji_scenes", "config": {"size": 16, "slots": slots}}
    training, file = config(**values, length=6)
    assert write(file).written == 6
    cached = samples_of(training)[3]
    plain = training.model_copy(update={"data": training.data.model_copy(update={"cache": None})})
    scene = make_training_samples(plain)[3]
    assert cached["prompt"] == scene["prompt"]
    assert cached["class_label"] == scene["class_label"]
    assert [list(each["box"]) for each in scene["layout"]] == [
        each["box"] for each in cached["layout"]
    ]
    assert np.array_equal(cached["semantic_map"], scene["semantic_map"])
    assert np.array_equal(cached.get("references"), scene.get("references"))
    _, file = config(**values)
    with pytest.raises(InvalidConfigError, match="a cache needs a number of scenes"):
        write(file)


def test_check_reads_every_file_again(config, pictures):
    _, file = config()
    write(file)
    before = (pictures / "07.png").stat()
    Image.new("RGB", (24, 16), "red").save(pictures / "07.png")
    import os

    os.utime(pictures / "07.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    latents, _ = open_caches("denoiser", file, default_atelier())
    state = latents.check()
    assert (state.wanted - state.present, state.stale) == (1, 1)


def test_a_damaged_shard_is_an_error_with_a_way_out(config, tmp_path):
    training, file = config()
    write(file)
    [shard] = (tmp_path / "cache").glob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(DataError, match="delete it and run 'latelier data cache' again"):
        samples_of(training)


def test_without_a_cache_the_command_is_named(config):
    training, _ = config()
    with pytest.raises(DataError, match="'latelier data cache' writes one"):
        samples_of(training)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data: {path: pictures}", "expected the folder of the cache as 'cache' in 'data'"),
        ("data: {cache: c, sise: 3}", "there is no field 'data.sise'. Did you mean 'size'"),
        ("data: {cache: c}\nmodel: emoji-scenes", "there is no field 'model'"),
    ],
)
def test_another_configuration_is_an_error(tmp_path, change, message):
    file = tmp_path / "config.yaml"
    file.write_text(f"out: run\nsteps: 1\nstart_from: emoji-scenes\n{change}")
    with pytest.raises(InvalidConfigError, match=message):
        open_caches("denoiser", file, Atelier())


def test_a_first_stage_has_no_cache(tmp_path):
    with pytest.raises(UnknownNameError, match="no training on latents 'first-stage'"):
        open_caches("first-stage", tmp_path / "config.yaml", Atelier())


def test_moments_are_those_of_the_latents_that_a_denoiser_sees():
    factors = {"scale_factor": (0.5, 2.0, 1.0, 3.0), "shift_factor": (0.1, 0.0, -1.0, 2.0)}
    config = AutoencoderKLConfig(ch=8, ch_mult=(1,), num_res_blocks=1, num_groups=4, **factors)
    autoencoder = AutoencoderKL(config).eval()
    images = torch.rand(2, 3, 8, 8) * 2 - 1
    kind, moments = encode_pictures(autoencoder, images)
    assert kind == "moments"
    mean, logvar = moments.chunk(2, dim=1)
    with torch.no_grad():
        torch.testing.assert_close(mean, autoencoder.encode(images))
        one = autoencoder.sample(images, torch.ones_like(mean))
        torch.testing.assert_close(one, mean + torch.exp(0.5 * logvar))
