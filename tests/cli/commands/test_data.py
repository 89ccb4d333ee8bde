"""The index and the check of a data set, and the preview of the built-in one."""

import json

import pytest
from PIL import Image

from latelier.data.manifest.manifest import read_manifest


def test_a_sheet_is_drawn_and_is_the_same_for_the_same_seed(cli, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        options = ("-n", 4, "--seed", seed, "--background", "plain", "--size", 32)
        done = cli("data", "preview", "-o", f"{name}.png", *options)
        assert (done.status, done.out) == (0, f"{name}.png\n")
    a, b, c = (Image.open(tmp_path / f"{name}.png").tobytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.fixture
def pictures(tmp_path):
    """A folder of two pictures, one of them with a caption, and a file that is no picture."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, size in (("a.png", (8, 6)), ("b.png", (6, 6))):
        Image.new("RGB", size).save(folder / name)
    (folder / "a.txt").write_text("a picture")
    (folder / "c.png").write_bytes(b"no picture")
    return folder


def test_an_index_is_a_manifest(cli, tmp_path, pictures):
    done = cli("data", "index", pictures, "-o", "m.jsonl")
    assert (done.status, done.out) == (0, "m.jsonl\n")
    assert "left out: c.png: its content is not a known image format" in done.err
    assert "2 pictures, 1 left out" in done.err
    assert "not below its folder" not in done.err
    manifest = read_manifest(tmp_path / "m.jsonl")
    assert [(record.file, record.width, record.height) for record in manifest] == [
        ("a.png", 8, 6), ("b.png", 6, 6),
    ]  # fmt: skip
    assert sorted(path.name for path in pictures.iterdir()) == ["a.png", "a.txt", "b.png", "c.png"]


def test_an_index_elsewhere_says_how_it_is_read(cli, pictures):
    (pictures / "c.png").unlink()
    done = cli("data", "index", pictures, "-o", "elsewhere/m.jsonl")
    assert (done.status, done.out) == (0, "elsewhere/m.jsonl\n")
    assert f"to read it, set 'root: {pictures}'" in done.err
    refused = cli("data", "check", "elsewhere/m.jsonl")
    assert (refused.status, refused.out) == (2, "")
    assert "elsewhere/m.jsonl: 'root': expected a folder at or below" in refused.err
    named = ("--root", pictures)
    checked = cli("data", "check", "elsewhere/m.jsonl", *named)
    assert "2 of 2 can be used" in checked.out
    assert cli("data", "index", "elsewhere/m.jsonl", *named, "-o", "n.jsonl").status == 0
    refused = cli("data", "check", pictures, *named)
    assert (refused.status, "root is for a manifest" in refused.err) == (2, True)


def test_a_folder_is_indexed_again_although_it_has_a_manifest(cli, pictures):
    manifest = pictures / "manifest.jsonl"
    cli("data", "index", pictures, "-o", manifest)
    Image.new("RGB", (4, 4)).save(pictures / "d.png")
    refused = cli("data", "index", pictures, "-o", manifest)
    assert (refused.status, len(read_manifest(manifest))) == (2, 2)
    assert "--force replaces it" in refused.err
    assert cli("data", "index", pictures, "-o", manifest, "--force").status == 0
    assert len(read_manifest(manifest)) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "missing: not found; expected a data set"),
        (["pictures", "-o", "m.txt"], "m.txt: expected a .jsonl or .parquet file"),
        (["pictures", "--split", "train"], "has no splits, so there is no 'train'"),
        (["pictures/a.txt"], "a.txt: expected a folder, a manifest"),
        (["pictures/a.png", "--images", "pictures"], "a.png: expected JSON"),
    ],
)
def test_an_index_of_something_else_is_an_error(cli, tmp_path, pictures, arguments, message):
    done = cli("data", "index", *arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert not list(tmp_path.glob("m*.jsonl"))


def test_a_check_with_problems_has_status_1_and_writes_its_files(cli, tmp_path, pictures):
    done = cli("data", "check", pictures, "--sheet", "sheet.png", "--html", "page.html")
    assert done.status == 1
    assert "2 of 3 can be used" in done.out
    assert "problem: 1 cannot be used: its content is not a known image format: c.png" in done.out
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert Image.open(tmp_path / "sheet.png").width > 100
    refused = cli("data", "check", pictures, "--html", "page.html")
    assert (refused.status, refused.out) == (2, "")


def test_a_check_as_json(cli, pictures):
    (pictures / "c.png").unlink()
    (pictures / "b.txt").write_text("another picture")
    Image.linear_gradient("L").save(pictures / "a.png")
    done = cli("data", "check", pictures, "--json")
    assert done.status == 0
    result = json.loads(done.out)
    assert (result["pictures"], result["usable"], result["captions"]["total"]) == (2, 2, 2)
    assert {each["severity"] for each in result["findings"]} == {"note"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "missing: not found"),
        (["pictures", "--html", "page.txt"], "--html: expected an .html file"),
        (["pictures", "--sheet", "page.txt"], "--sheet: expected a .png or .jpg file"),
    ],
)
def test_a_check_that_cannot_be_done_is_an_error(cli, pictures, arguments, message):
    done = cli("data", "check", *arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err


@pytest.fixture
def cache_config(tmp_path, pictures):
    """A configuration of a training on cached latents of the embedded model."""
    (pictures / "c.png").unlink()
    path = tmp_path / "config.yaml"
    path.write_text(
        "out: run\nsteps: 1\nstart_from: emoji-scenes\n"
        "data: {path: pictures, size: 32, cache: latents}\n"
    )
    return path


def test_a_cache_is_written_once_and_checked(cli, tmp_path, pictures, cache_config):
    first = cli(
        "data", "cache", "denoiser", cache_config, "--device", "cpu", "--workers", 0, "--json"
    )
    assert (first.status, json.loads(first.out)["written"]) == (0, 1)  # one is held out
    again = cli(
        "data", "cache", "denoiser", cache_config, "--device", "cpu", "--workers", 0, "--json"
    )
    assert json.loads(again.out)["written"] == 0
    assert cli("data", "cache", "denoiser", cache_config, "--check").status == 0
    for name in ("a.png", "b.png"):
        Image.new("RGB", (6, 6), "red").save(pictures / name)
    checked = cli("data", "cache", "denoiser", cache_config, "--check")
    assert (checked.status, "views       0 of 1" in checked.out) == (1, True)


def test_a_cache_without_a_folder_is_an_error(cli, tmp_path, cache_config):
    cache_config.write_text(cache_config.read_text().replace(", cache: latents", ""))
    done = cli("data", "cache", "denoiser", cache_config)
    assert (done.status, done.out) == (2, "")
    assert "expected the folder of the cache as 'cache' in 'data'" in done.err


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ("lora", "there is no field 'start_from'"),
        ("first-stage", "no training on latents 'first-stage'. Known: adapter, denoiser, "),
    ],
)
def test_the_cache_of_another_kind_of_training_is_an_error(cli, cache_config, training, message):
    done = cli("data", "cache", training, cache_config)
    assert (done.status, done.out) == (2, "")
    assert message in done.err


def test_the_outputs_of_frozen_conditioners_are_written_and_checked(
    cli, tmp_path, pictures, cache_config
):
    for name in ("a", "b"):
        (pictures / f"{name}.txt").write_text("a red apple")
    cache_config.write_text(
        "out: run\nsteps: 1\nmodel: emoji-scenes\n"
        "data:\n  path: pictures\n  size: 32\n"
        "  cache: {folder: latents, conditioners: [text]}\n"
    )
    options = ("--device", "cpu", "--workers", 0)
    done = cli("data", "cache", "lora", cache_config, *options, "--json")
    assert done.status == 0, done.err
    written = json.loads(done.out)
    assert written["conditioners"]["text"]["written"] == 1
    shown = cli("data", "cache", "lora", cache_config, "--check")
    assert (shown.status, "conditioner  text" in shown.out) == (0, True)
    identity = tmp_path / "latents" / "conditioners" / "text" / "cache.json"
    values = json.loads(identity.read_text())
    identity.write_text(json.dumps({**values, "weights_sha256": "0" * 64}))
    stale = cli("data", "cache", "lora", cache_config, *options)
    assert (stale.status, stale.out) == (2, "")
    assert "weights 000000000000" in stale.err
    assert f"expected those of '{values['conditioner']}'" in stale.err
