"""Where pictures are written."""

from pathlib import Path

import pytest

from latelier.cli.support.destinations import plan_destinations
from latelier.contracts.errors import InvalidInputError


@pytest.fixture(autouse=True)
def an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("output", "words", "seeds", "paths"),
    [
        (None, "a cat", [7], ["latelier-7.png"]),
        (None, "a cat", [7, 8], ["a-cat-7.png", "a-cat-8.png"]),
        ("out", "a cat", [7], ["out/a-cat-7.png"]),
        ("out.png", "a cat", [7], ["out.png"]),
        ("deep/er/out.PNG", "a cat", [7], ["deep/er/out.PNG"]),
        ("out", "", [7], ["out/latelier-7.png"]),
        ("out", "../../etc/passwd", [7], ["out/etc-passwd-7.png"]),
        ("out", "Ein Äpfelchen, 林檎!", [7], ["out/ein-äpfelchen-林檎-7.png"]),
        ("out", "long " * 30, [7], ["out/" + "long-" * 8 + "7.png"]),
    ],
)
def test_output_paths_are_planned(output, words, seeds, paths):
    chosen = plan_destinations(Path(output) if output else None, words, seeds, force=False)
    assert chosen == [Path(path) for path in paths]


def test_an_existing_folder_name_may_contain_a_dot():
    with pytest.raises(InvalidInputError, match=r"such as 'out\.png', .* or an existing folder"):
        plan_destinations(Path("out.v1"), "a", [1], force=False)
    Path("out.v1").mkdir()
    assert plan_destinations(Path("out.v1"), "a", [1], force=False) == [Path("out.v1/a-1.png")]


def test_files_are_replaced_only_with_force():
    Path("a-2.png").touch()
    with pytest.raises(InvalidInputError, match=r"a-2\.png: already exists"):
        plan_destinations(None, "a", [1, 2], force=False)
    assert len(plan_destinations(None, "a", [1, 2], force=True)) == 2


def test_a_folder_is_never_replaced():
    Path("latelier-1.png").mkdir()
    with pytest.raises(InvalidInputError, match="is a folder"):
        plan_destinations(None, "a", [1], force=True)
