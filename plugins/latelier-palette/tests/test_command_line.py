"""What a person sees who has installed the package."""

import json
import subprocess
import sys

import pytest

LATELIER = [sys.executable, "-c", "from latelier.cli.main import main; main()"]


def run(*arguments):
    done = subprocess.run([*LATELIER, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_plugin_is_listed_and_ok():
    (row,) = (each for each in json.loads(run("plugins", "list", "--json"))
              if each["id"] == "latelier-palette:palette")  # fmt: skip
    assert row["state"] == "installed"
    shown = json.loads(run("plugins", "show", "latelier-palette", "--json"))[0]
    assert shown["state"] == "ok"
    assert shown["components"] == [
        "conditioner:latelier-palette/palette",
        "adapter:latelier-palette/palette",
    ]


def test_the_help_names_its_condition():
    assert "palette: {colors: list of color" in " ".join(run("generate", "--help").split())


@pytest.mark.parametrize("form", ["colours", "picture"])
def test_a_picture_is_generated_with_it(form, tmp_path):
    from PIL import Image

    Image.new("RGB", (8, 8), "#1d3557").save(tmp_path / "navy.png")
    value = {"colours": '["#1d3557", "#e63946"]', "picture": str(tmp_path / "navy.png")}[form]
    path = tmp_path / "cat.png"
    options = ["--model", "emoji-scenes", "--adapter", "palette", "--steps", "2"]
    options += ["--condition", f"palette={value}"]
    assert run("generate", "a cat", *options, "--seed", "7", "-o", str(path)).strip() == str(path)
    with Image.open(path) as picture:
        assert picture.size == (64, 64)
