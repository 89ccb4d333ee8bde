import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def paint(tmp_path):
    """Write pictures of random pixels into a folder, by their number."""

    def paint(folder, numbers, seed=0, side=32):
        rng = np.random.default_rng(seed)
        for number in numbers:
            (tmp_path / folder).mkdir(exist_ok=True)
            pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
        return tmp_path / folder

    return paint


def read_figures(path):
    figures = json.loads((path / "results.json").read_text())["figures"]
    return {each["name"]: each["value"] for each in figures}


def read_provenance(path):
    return json.loads((path / "results.json").read_text())["provenance"]


def test_pictures_are_compared_with_a_folder_and_with_their_originals(cli, paint, tmp_path):
    paint("made", range(6))
    paint("real", range(8), seed=1)

    done = cli("evaluate", "pictures", "made", "--reference", "real", "--originals", "real")

    assert done.status == 0
    figures = read_figures(tmp_path / "evaluation")
    assert {"frechet_distance", "kernel_distance", "precision", "psnr", "ssim"} <= figures.keys()
    assert figures["frechet_distance"] > 0


def test_a_folder_of_larger_pictures_is_resized_only_by_size(cli, paint, tmp_path):
    paint("made", range(3))
    paint("real", range(3), side=64)
    command = (
        "evaluate", "pictures", "made", "--reference", "real", "--measure", "kernel_distance",
    )  # fmt: skip

    refused = cli(*command)

    assert refused.status == 2
    assert "reference: is of pictures of 64 x 64, and those of this run have 32 x 32" in refused.err
    assert not (tmp_path / "evaluation").exists()
    assert cli(*command, "--size", 32).status == 0
    reference = read_provenance(tmp_path / "evaluation")["reference"]
    assert reference["size"] == [32, 32]
    assert reference["data"][0]["resize"] == "lanczos"


def test_a_stored_reference_gives_the_same_figures(cli, paint, tmp_path):
    paint("made", range(6))
    paint("real", range(8), seed=1)

    stored = cli("evaluate", "reference", "real", "-o", "real.safetensors")
    cli("evaluate", "pictures", "made", "--reference", "real", "--out", "a")
    cli("evaluate", "pictures", "made", "--reference", "real.safetensors", "--out", "b")

    assert stored.status == 0
    assert stored.out.strip() == "real.safetensors"
    assert read_figures(tmp_path / "a") == read_figures(tmp_path / "b")
    assert read_provenance(tmp_path / "a") == read_provenance(tmp_path / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a", "b", "made", "real", "real.safetensors",
    ]  # fmt: skip


def test_halves_of_a_reference_merge_into_the_whole(cli, paint, tmp_path):
    paint("real", range(105))
    options = ("--batch-size", 50)

    cli("evaluate", "reference", "real", "-o", "whole.safetensors", *options)
    for k in (1, 2):
        cli("evaluate", "reference", "real", "-o", f"{k}.safetensors", "--part", f"{k}/2", *options)
    done = cli("evaluate", "merge", "2.safetensors", "1.safetensors", "-o", "merged.safetensors")

    assert done.status == 0
    whole, merged = (tmp_path / f"{name}.safetensors" for name in ("whole", "merged"))
    assert whole.read_bytes() == merged.read_bytes()


def test_a_damaged_picture_is_named_and_counted(cli, paint, tmp_path):
    paint("made", range(150), side=32)
    (tmp_path / "made" / "7.png").write_bytes(b"damaged")

    done = cli(
        "evaluate", "pictures", "made", "--reference", "made", "--measure", "kernel_distance"
    )

    assert done.status == 0
    assert "left out: 7.png: " in done.err
    assert "1 samples were left out" in done.err


def test_a_measure_that_cannot_be_computed_does_not_hinder_others(cli, paint, tmp_path):
    paint("made", range(3))
    measures = ("--measure", "precision_recall", "--measure", "kernel_distance")

    done = cli("evaluate", "pictures", "made", "--reference", "made", *measures)

    assert done.status == 1
    assert "note: precision_recall: cannot be computed: " in done.err
    figures = read_figures(tmp_path / "evaluation")
    assert figures["precision_recall"] is None
    assert figures["kernel_distance"] is not None


def test_many_damaged_pictures_are_an_error(cli, paint, tmp_path):
    made = paint("made", range(10))
    for k in (2, 5):
        (made / f"{k}.png").write_bytes(b"damaged")

    done = cli("evaluate", "pictures", "made", "--reference", "made")

    assert done.status == 2
    assert "made: 2 of 10 samples cannot be used, and max_unusable allows 0: 2.png: " in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["made"], "expected pictures to compare with: --reference, --originals or both"),
        (["missing", "--reference", "made"], "missing: not found"),
        (["empty", "--reference", "made"], "empty: no pictures found"),
        (["made", "--reference", "empty"], "empty: no pictures found"),
        (["made", "--originals", "large"], "set the size of the data"),
        (["made", "--reference", "stored.safetensors"], "is of pictures of 64 x 64"),
        (["made", "--reference", "made", "--measure", "fid"], "Here it is 'frechet_distance'"),
        (["made", "--reference", "made", "--network", "x"], "there is no feature network 'x'"),
        (["mixed", "--reference", "made"], "b.png is 64 x 64 pixels and the first picture 32 x 32"),
    ],
)
def test_bad_input_is_one_line(cli, paint, tmp_path, arguments, message):
    paint("made", range(3))
    paint("large", range(3), side=64)
    paint("mixed", ["a"])
    paint("mixed", ["b"], side=64)
    (tmp_path / "empty").mkdir()
    cli("evaluate", "reference", "large", "-o", "stored.safetensors")

    done = cli("evaluate", "pictures", *arguments)

    assert done.status == 2
    assert message in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("changed", ["made", "real"])
def test_other_pictures_under_the_same_names_are_an_error(cli, paint, tmp_path, changed):
    paint("made", range(3))
    paint("real", range(3), seed=1)
    command = ("evaluate", "pictures", "made", "--originals", "real")
    assert cli(*command).status == 0
    before = read_figures(tmp_path / "evaluation")

    paint(changed, range(3), seed=2)
    done = cli(*command)

    assert done.status == 2
    assert f"has another data.{'originals.' if changed == 'real' else ''}files" in done.err
    assert "use the same values and files, or name another out" in done.err
    assert read_figures(tmp_path / "evaluation") == before


def test_other_reference_pictures_under_the_same_names_give_other_figures(cli, paint, tmp_path):
    paint("made", range(6))
    paint("real", range(6), seed=1)
    command = ("evaluate", "pictures", "made", "--reference", "real")
    cli(*command)
    before = read_figures(tmp_path / "evaluation")

    paint("real", range(6), seed=2)
    done = cli(*command)

    assert done.status == 0
    assert read_figures(tmp_path / "evaluation") != before


@pytest.mark.parametrize("part", ["1/2", "2/2"])
def test_more_parts_of_a_reference_than_chunks_are_an_error(cli, paint, tmp_path, part):
    paint("real", range(3))

    done = cli("evaluate", "reference", "real", "-o", "a.safetensors", "--part", part)

    assert done.status == 2
    assert (
        f"part: {part} is one of more parts than there are chunks of pictures: 1 chunk" in done.err
    )
    assert [path.name for path in tmp_path.iterdir()] == ["real"]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["a.safetensors", "./a.safetensors"], "a.safetensors: is named twice"),
        (["a.safetensors", "made"], "got both: 'made' is a folder"),
        (["a.safetensors", "b.safetensors"], "b.safetensors: not found"),
        (["made", "./made"], "made: is named twice"),
        (["made"], "made: is not the folder of an evaluation"),
    ],
)
def test_parts_that_cannot_be_merged_are_one_line(cli, paint, tmp_path, parts, message):
    paint("made", range(2))
    cli("evaluate", "reference", "made", "-o", "a.safetensors")

    done = cli("evaluate", "merge", *parts, "-o", "merged")

    assert done.status == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "merged").exists()


def test_an_existing_reference_is_replaced_only_by_force(cli, paint):
    paint("real", range(3))
    cli("evaluate", "reference", "real")

    refused = cli("evaluate", "reference", "real")
    forced = cli("evaluate", "reference", "real", "--force")

    assert refused.status == 2
    assert "already exists; --force replaces it" in refused.err
    assert forced.status == 0
