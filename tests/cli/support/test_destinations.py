"""Where pictures are written."""

from pathlib import Path

import pytest

from latelier.cli.support.destinations import check_sheet, plan_destinations
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
        ("", "a cat", [7], ["a-cat-7.png"]),
        ("out.v1/", "a cat", [7], ["out.v1/a-cat-7.png"]),
        ("out.png/", "a cat", [7], ["out.png/a-cat-7.png"]),
        ("out", "", [7], ["out/latelier-7.png"]),
        ("out", "../../etc/passwd", [7], ["out/etc-passwd-7.png"]),
        ("out", "Ein Äpfelchen, 林檎!", [7], ["out/ein-äpfelchen-林檎-7.png"]),
        ("out", "long " * 30, [7], ["out/" + "long-" * 8 + "7.png"]),
    ],
)
def test_output_paths_are_planned(output, words, seeds, paths):
    chosen = plan_destinations(output, words, seeds, force=False)
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


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize("sheet", ["a.png", "./a.png", "gone/../a.png"])
def test_a_sheet_in_the_file_of_a_picture_is_refused(sheet, force):
    with pytest.raises(InvalidInputError, match=r"--sheet: .* is the file of a picture"):
        check_sheet(Path(sheet), [Path("b.png"), Path("a.png")], force=force)
    check_sheet(Path(sheet), [Path("b.png")], force=force)
    check_sheet(None, [Path("a.png")], force=force)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that takes no files")
def test_a_folder_that_takes_no_files_is_found_before_the_run():
    with pytest.raises(InvalidInputError, match=r"^/proc/a\.png: cannot be written: "):
        check_sheet(Path("/proc/a.png"), [], force=False)
    with pytest.raises(InvalidInputError, match=r"^/proc/a\.png: cannot be written: "):
        plan_destinations("/proc/a.png", "a cat", [7], force=True)
    assert not list(Path().iterdir())
