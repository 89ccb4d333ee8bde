"""Comparing two models, and counting votes."""

import csv
import json
import re

import pytest
from PIL import Image

DATA = ("--data", "emoji_scenes", "--pictures", 3)


@pytest.fixture
def prompts(tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_text("a red cat\na blue dog\n")
    return file


def read_pairs(page: str) -> dict:
    """Return what the page compares."""
    (data,) = re.findall(r'type="application/json">\s*(.*?)\s*</script>', page, re.DOTALL)
    return json.loads(data)


def test_two_models_are_compared_by_prompts_and_seeds(cli, tiny_model, prompts, tmp_path):
    models = (f"{tiny_model}:steps=1", f"{tiny_model}:steps=2,guidance=2")
    done = cli("evaluate", "compare", *models, "--prompts", prompts, "-n", 2, "--seed", 7)
    assert done.status == 0, done.err
    page = tmp_path / "comparison" / "comparison.html"
    assert done.out.strip() == "comparison/comparison.html"
    pairs = read_pairs(page.read_text(encoding="utf-8"))["pairs"]
    assert [(pair["prompt"], pair["seed"]) for pair in pairs] == [
        ("a red cat", 7), ("a red cat", 8), ("a blue dog", 9), ("a blue dog", 10)
    ]  # fmt: skip
    again = cli("evaluate", "compare", *models, "--prompts", prompts)
    assert (again.status, "already exists; --force" in again.err) == (2, True)


def test_the_pictures_are_those_of_generate(cli, tiny_model, prompts, tmp_path):
    folder = tmp_path / "made"
    for seed, prompt in enumerate(("a red cat", "a blue dog")):
        made = ("-o", folder / f"{seed}.png", "--seed", seed, "--model", tiny_model)
        assert cli("generate", prompt, *made, "--dtype", "float32").status == 0
    done = cli("evaluate", "compare", tiny_model, folder, "--prompts", prompts)
    assert done.status == 0, done.err
    pairs = read_pairs((tmp_path / "comparison/comparison.html").read_text(encoding="utf-8"))
    assert all(pair["left"] == pair["right"] for pair in pairs["pairs"])


def test_originals_of_built_in_scenes_are_a_side_and_scenes_are_measured(cli, tmp_path):
    models = ("emoji-scenes:steps=1", "originals")
    done = cli("evaluate", "compare", *models, *DATA, "-o", "out")
    assert done.status == 0, done.err
    assert "| Measure | emoji-scenes:steps=1 | originals |" in done.out
    with (tmp_path / "out/results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    values = {row["name"]: float(row["value"]) for row in rows if row["model"] == "originals"}
    assert values["all_present"] == 1.0
    assert "Objects seen" not in (tmp_path / "out/comparison.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("{model}", "{model}"), "expected two models that differ"),
        (("{model}", "absent"), "model 'absent' not found"),
        (("{model}", "{model}:stepz=3"), "Did you mean 'steps'"),
        (("{model}", "{model}:steps=2", "--measure", "psnr"), "makes pictures of prompts alone"),
        (("{model}", "{model}:steps=2", "--measure", "none"), "there is no measure 'none'"),
        (("{model}", "originals"), "prompts have no pictures"),
        (("{model}", "{folder}"), "expected 2 pictures, one for each pair, found 1"),
        (("{model}", "{model}:steps=2", *DATA), "either --prompts or --data"),
        (("{model}", "{model}:steps=2", "--pictures", 3), "--pictures and --size are for --data"),
    ],
)
def test_bad_input_is_one_error_and_writes_nothing(
    cli, tiny_model, prompts, tmp_path, arguments, error
):
    folder = tmp_path / "one"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "1.png")
    given = [str(each).format(model=tiny_model, folder=folder) for each in arguments]
    done = cli("evaluate", "compare", *given, "--prompts", prompts)
    assert (done.status, done.out) == (2, "")
    assert error in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "comparison").exists()


def write_votes(path, *preferred):
    votes = [{"prompt": "", "seed": 0, "left": 0, "preferred": each} for each in preferred]
    record = {"format": "latelier-votes", "comparison": "abc", "question": "?"}
    path.write_text(json.dumps({**record, "models": ["one", "two"], "votes": votes}))
    return path


def test_votes_of_persons_are_counted(cli, tmp_path):
    files = [write_votes(tmp_path / "a.json", 0, 0, None), write_votes(tmp_path / "b.json", 0, 1)]
    done = cli("evaluate", "votes", *files)
    assert done.status == 0, done.err
    lines = [re.split(r"\s{2,}", line) for line in done.out.splitlines()]
    assert lines == [
        ["MODEL", "PREFERRED", "OF", "SHARE", "95 % INTERVAL"],
        ["one", "3", "4", "75.0%", "30.1% to 95.4%"],
        ["two", "1", "4", "25.0%", "4.6% to 69.9%"],
    ]
    assert "no difference in 1 of 5 answers" in done.err
    rows = json.loads(cli("evaluate", "votes", *files, "--json").out)
    assert [row["preferred"] for row in rows] == [3, 1]


def test_another_file_is_no_votes(cli, tmp_path):
    file = tmp_path / "a.json"
    file.write_text("{}")
    done = cli("evaluate", "votes", file)
    assert done.status == 2
    assert "a.json: " in done.err
