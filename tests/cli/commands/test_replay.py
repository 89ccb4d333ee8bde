"""Replaying through the command line: what it says, and its exit status."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.provenance.image_files import read_provenance, write_image
from latelier.provenance.large_pictures import without_large_pictures


@pytest.fixture
def picture(cli, tiny_model, tmp_path):
    cli("generate", "a cat", "-m", tiny_model, "--seed", 5, "-o", "a.png")
    return tmp_path / "a.png"


def test_an_identical_replay(cli, picture, tmp_path):
    done = cli("replay", picture, "-o", "again.png")
    assert (done.status, done.out.splitlines()) == (0, ["identical", "again.png"])
    assert (tmp_path / "again.png").read_bytes() == picture.read_bytes()


def test_a_picture_of_compiled_blocks_is_replayed_with_them(cli, tiny_model, monkeypatch):
    compiled = []

    def backend(graph, _inputs, **_):
        compiled.append(graph)
        return graph.forward

    monkeypatch.setattr("torch.compile", partial(torch.compile, backend=backend))
    cli("generate", "a cat", "-m", tiny_model, "--seed", 5, "--compile", "-o", "a.png")
    assert compiled
    assert read_provenance("a.png")[1]["machine"]["compiled"] is True
    compiled.clear()
    done = cli("replay", "a.png")
    assert (done.status, done.out.splitlines()) == (0, ["identical"])
    assert compiled


def test_json_has_the_verdict(cli, picture):
    done = cli("replay", picture, "--json")
    assert json.loads(done.out) == {
        "verdict": "identical",
        "max_difference": 0,
        "altered": False,
        "differences": [],
        "path": None,
    }


def test_an_altered_picture_is_reported(cli, picture):
    image, provenance = read_provenance(picture)
    write_image(picture, Image.fromarray(255 - np.asarray(image)), provenance)
    done = cli("replay", picture)
    assert done.status == 1
    assert done.out.startswith("different: pixels differ by at most ")
    assert "the file was altered" in done.out


def test_another_model_is_refused(cli, picture):
    image, provenance = read_provenance(picture)
    provenance["components"]["denoiser"]["weights_sha256"] = "0" * 64
    write_image(picture, image, provenance)
    done = cli("replay", picture)
    assert done.status == 2
    assert "denoiser: the weights had the SHA-256 000000000000" in done.err
    done = cli("replay", picture, "--anyway")
    assert done.status == 0
    assert "denoiser: the weights" in done.out


def test_another_vocabulary_is_refused(cli, picture):
    image, provenance = read_provenance(picture)
    assets = provenance["components"]["conditioners.text"]["assets_sha256"]
    assert len(assets["vocabulary.model"]) == 64
    assets["vocabulary.model"] = "0" * 64
    write_image(picture, image, provenance)
    done = cli("replay", picture)
    assert done.status == 2
    assert "the file 'vocabulary.model' has changed" in done.err


def test_nothing_is_overwritten(cli, picture):
    assert cli("replay", picture, "-o", picture).status == 2


def test_a_large_input_picture_must_be_supplied(cli, tiny_model, tmp_path, monkeypatch):
    def held(provenance):
        return without_large_pictures(provenance, 2000)

    monkeypatch.setattr("latelier.provenance.image_files.without_large_pictures", held)
    levels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(levels).save(tmp_path / "start.png")
    options = ("--seed", 5, "--size", "32x32", "--init-image", "start.png")
    cli("generate", "a cat", "-m", tiny_model, *options, "-o", "a.png")
    refused = cli("replay", "a.png")
    assert refused.status == 2
    assert "give the file, with --picture: that of 32 x 32 pixels" in refused.err
    done = cli("replay", "a.png", "--picture", "start.png")
    assert (done.status, done.out) == (0, "identical\n")
