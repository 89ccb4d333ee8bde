"""The files that `latelier generate` writes: none is replaced unasked, none is lost."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from latelier.provenance.image_files import read_provenance


@pytest.fixture
def appears_during_the_run(monkeypatch):
    """Create a file as soon as the first picture is about to be written."""

    def arrange(*paths: Path) -> None:
        write = Image.Image.save

        def save(self, *arguments, **options):
            for path in paths:
                path.write_text("precious")
            write(self, *arguments, **options)

        monkeypatch.setattr(Image.Image, "save", save)

    return arrange


def test_a_file_that_appears_during_the_run_is_not_overwritten(
    cli, tiny_model, tmp_path, appears_during_the_run
):
    appears_during_the_run(tmp_path / "a.png", tmp_path / "a-2.png")
    done = cli("generate", "a cat", "-m", tiny_model, "--seed", 3, "-o", "a.png")
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        "error: a.png: was created during this run and is left as it is; the result is in "
        "'a-3.png'\n"
    )
    assert (tmp_path / "a.png").read_text() == "precious"
    assert (tmp_path / "a-2.png").read_text() == "precious"
    assert read_provenance(tmp_path / "a-3.png")[1]["seed"] == 3


@pytest.mark.parametrize(
    ("command", "file"),
    [
        (("generate", "a cat", "--sheet", "sheet.png"), "sheet.png"),
        (("data", "preview", "-n", 1, "-o", "sheet.png"), "sheet.png"),
    ],
)
def test_a_sheet_is_saved_under_a_free_name(
    cli, tiny_model, tmp_path, appears_during_the_run, command, file
):
    appears_during_the_run(tmp_path / file)
    model = ("-m", tiny_model) if command[0] == "generate" else ()
    done = cli(*command, *model)
    assert done.status == 2
    assert "sheet.png: was created during this run" in done.err
    assert (tmp_path / file).read_text() == "precious"
    assert Image.open(tmp_path / "sheet-2.png").width > 16


def test_a_replayed_picture_is_saved_under_a_free_name(
    cli, tiny_model, tmp_path, appears_during_the_run
):
    cli("generate", "a cat", "-m", tiny_model, "-o", "a.png")
    appears_during_the_run(tmp_path / "b.png")
    done = cli("replay", "a.png", "-o", "b.png")
    assert done.status == 2
    assert (tmp_path / "b.png").read_text() == "precious"
    assert (tmp_path / "b-2.png").read_bytes() == (tmp_path / "a.png").read_bytes()


def test_a_stripped_picture_is_saved_under_a_free_name(cli, tmp_path, monkeypatch):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    from latelier.provenance import strip

    read = strip.read_stripped

    def read_late(path):
        (tmp_path / "b.png").write_text("precious")
        return read(path)

    monkeypatch.setattr(strip, "read_stripped", read_late)
    done = cli("strip", "a.png", "-o", "b.png")
    assert done.status == 2
    assert (tmp_path / "b.png").read_text() == "precious"
    assert Image.open(tmp_path / "b-2.png").size == (2, 2)


def test_a_tuned_schedule_is_saved_under_a_free_name(cli, tmp_path, monkeypatch):
    from latelier.evaluation.sampling import tuning

    tune = tuning.tune_schedule

    def tune_late(*arguments, **options):
        (tmp_path / "b.json").write_text("precious")
        return tune(*arguments, **options)

    monkeypatch.setattr(tuning, "tune_schedule", tune_late)
    done = cli("samplers", "tune", "mixture", "--steps", 3, "--seeds", 2, "-o", "b.json")
    assert done.status == 2
    assert (tmp_path / "b.json").read_text() == "precious"
    assert json.loads((tmp_path / "b-2.json").read_text())["name"] == "fixed"


def test_force_replaces_a_file_that_appears(cli, tiny_model, tmp_path, appears_during_the_run):
    appears_during_the_run(tmp_path / "a.png")
    done = cli("generate", "a cat", "-m", tiny_model, "-o", "a.png", "--force")
    assert (done.status, done.err) == (0, "")
    assert read_provenance(tmp_path / "a.png")


def test_concurrent_runs_to_one_name_lose_nothing(tiny_model, tmp_path):
    command = [sys.executable, "-m", "latelier", "generate", "a cat", "-m", str(tiny_model)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    runs = [
        subprocess.Popen(
            [*command, "--seed", str(seed), "-o", "a.png"],
            cwd=tmp_path,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in (1, 2)
    ]
    errors = [run.communicate(timeout=120)[1] for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 2], errors
    (loser,) = [error for error in errors if error]
    assert re.match(r"error: a\.png: (was created during this run|already exists)", loser)
    seeds = {read_provenance(path)[1]["seed"] for path in tmp_path.glob("*.png")}
    winner = [run.returncode for run in runs].index(0) + 1
    assert seeds == ({1, 2} if "a-2.png" in loser else {winner})


def test_a_sheet_shows_all_pictures(cli, tiny_model, tmp_path):
    done = cli("generate", "a cat", "-m", tiny_model, "-n", 3, "-o", "out", "--sheet", "all.png")
    assert (done.status, len(done.out.splitlines())) == (0, 3)
    sheet = Image.open(tmp_path / "all.png")
    assert sheet.width > 3 * 128
    assert sheet.height < 2 * 200


@pytest.mark.parametrize(
    ("sheet", "why"),
    [("all.gif", "--sheet: expected a .png or .jpg file"), ("old.png", "old.png: already exists")],
)
def test_a_sheet_that_cannot_be_written_is_an_error_before_the_run(
    cli, tiny_model, tmp_path, sheet, why
):
    (tmp_path / "old.png").write_text("precious")
    done = cli("generate", "a cat", "-m", tiny_model, "-o", "out", "--sheet", sheet)
    assert (done.status, done.out) == (2, "")
    assert why in done.err
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "old.png").read_text() == "precious"


def test_pictures_are_written_as_each_batch_finishes(cli, tiny_model, tmp_path, monkeypatch):
    write, written = Image.Image.save, []

    def interrupt_the_third(self, path, *arguments, **options):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(self, path, *arguments, **options)

    monkeypatch.setattr(Image.Image, "save", interrupt_the_third)
    done = cli("generate", "a cat", "-m", tiny_model, "-n", 3, "--seed", 1, "-o", "out")
    assert (done.status, done.err) == (130, "interrupted; 2 of 3 pictures written\n")
    assert done.out.splitlines() == ["out/a-cat-1.png", "out/a-cat-2.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a-cat-1.png",
        "a-cat-2.png",
    ]


@pytest.mark.parametrize("words", [("a", "cat"), ("a cat", "on a mat", "today")])
def test_a_prompt_without_quotes_is_an_error(cli, tiny_model, tmp_path, words):
    done = cli("generate", *words, "-m", tiny_model)
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        f"error: expected one prompt, got {len(words)} arguments; put the prompt in quotes: "
        f'"{" ".join(words)}"\n'
    )
    assert not list(tmp_path.iterdir())


def test_json_is_printed_after_the_last_picture(cli, tiny_model):
    done = cli("generate", "a cat", "-m", tiny_model, "-n", 2, "--seed", 1, "--json")
    assert [row["seed"] for row in json.loads(done.out)] == [1, 2]
