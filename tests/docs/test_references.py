"""The blocks of docs/references.md run in its order, and print what it says."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from PIL import Image

import latelier
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.pipeline.databases import open_database

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "references.md").read_text()
BLOCKS = re.findall(r"```(python|console|toml|json)\n(.*?)```", PAGE, re.DOTALL)


def write_plugin(folder, code, words):
    pictures = folder / "latelier_birds" / "pictures"
    pictures.mkdir(parents=True)
    (pictures.parent / "__init__.py").write_text(code)
    (pictures / "words.json").write_text(words)
    for name in ("barn-owl", "robin"):
        Image.new("RGBA", (20, 20), "brown").save(pictures / f"{name}.png")


def test_the_blocks_run(cli, tmp_path, monkeypatch, capsys):
    made = Atelier(policy=Policy(allow=frozenset()), strict=True)
    monkeypatch.setattr("latelier.kernel.default.default_atelier", lambda: made)
    for module in ("composition", "loading"):
        monkeypatch.setattr(f"latelier.pipeline.{module}.default_atelier", lambda: made)
    [words] = [text for language, text in BLOCKS if language == "json"]
    names = {}
    for language, text in BLOCKS:
        if language == "console":
            for line in text.splitlines():
                if line.startswith("$ "):
                    done = cli(*shlex.split(line.removeprefix("$ latelier ")))
                    assert done.status == 0, done.err
                else:
                    assert line in (*done.out.splitlines(), *done.err.splitlines())
        elif language == "python":
            exec(text, names)
            printed = re.findall(r"^print\(.*  # (\[.*\])$", text, re.MULTILINE)
            assert capsys.readouterr().out.splitlines() == printed
            if "plugin = " in text:
                write_plugin(tmp_path, text, words)
                monkeypatch.syspath_prepend(tmp_path)
                made.register(names["plugin"], "latelier-birds", "0.1.0")
    database = names["make_database"]()
    assert [mention.entries for mention in database.find("two dots")] == [(0, 0)]
    assert database.picture(2).getpixel((32, 32)) == (0, 0, 255, 255)
    check_kit(names["TestBirds"], made)


def check_kit(contract, made):
    checks = contract()
    contract.atelier = lambda self: made
    for name in dir(contract):
        if name.startswith("test_it"):
            getattr(checks, name)()
    assert open_database("birds", made).entries[0].synonyms == ("owl", "screech owl")


def test_the_entry_point_is_of_the_group():
    [text] = [text for language, text in BLOCKS if language == "toml"]
    points = tomllib.loads(text)["project"]["entry-points"]
    assert points == {"latelier.v1": {"main": "latelier_birds:plugin"}}


def test_the_width_of_the_stream_is_the_documented_one():
    config = latelier.conditioners.validate_config("references", {"latent_channels": 16})
    assert config.outputs().stream == 2**2 * (16 + 1) + 16 + 3


@pytest.mark.parametrize("name", ["find", "guess", "nearest", "picture"])
def test_the_contract_has_the_methods(name):
    from latelier.contracts.databases import Database

    assert callable(getattr(Database, name))
