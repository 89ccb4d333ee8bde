"""What `latelier plugins new` writes is a distribution that passes the conformance kit."""

import os
import subprocess
import sys
import tomllib

import pytest

from latelier.contracts.errors import InvalidInputError
from latelier.scaffold.writing import write_plugin

KINDS = ("conditioner", "sampler", "first-stage", "denoiser", "importer")


def installed(folder):
    """Make a folder on the path what pip would make of it: metadata beside the package."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    [(group, entries)] = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder


def checked(folder, *command):
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_it_passes_the_kit_untouched(kind, tmp_path):
    folder = installed(write_plugin("warm-tone", kind, tmp_path, "Ada"))
    done = checked(folder, "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def test_it_is_clean(tmp_path):
    folders = [write_plugin(f"warm-{kind}", kind, tmp_path, "Ada") for kind in KINDS]
    packages = [next(folder.glob("latelier_*")) for folder in folders]
    for command in (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy", "--strict", *map(str, packages)),
    ):
        done = checked(tmp_path, *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_is_called(tmp_path):
    folder = write_plugin("latelier-warm_tone", "conditioner", tmp_path / "new", "Ada")
    assert folder == tmp_path / "new" / "latelier-warm-tone"
    assert "Copyright (c) " in (folder / "LICENSE").read_text()
    assert (folder / "LICENSE").read_text().splitlines()[2].endswith(" Ada")
    assert {path.name for path in folder.iterdir()} == {
        ".github", ".gitignore", "LICENSE", "README.md", "latelier_warm_tone", "pyproject.toml",
        "tests",
    }  # fmt: skip
    left = [path for path in folder.rglob("*") if path.is_file() and "{{" in path.read_text()]
    assert left == [folder / ".github" / "workflows" / "ci.yml"]  # GitHub's own


@pytest.mark.parametrize(
    "name", ["", "Palette", "pal ette", "../palette", "9lives", "class", "a--b"]
)
def test_a_name_that_cannot_be(name, tmp_path):
    with pytest.raises(InvalidInputError, match="a plugin's name is lower-case letters"):
        write_plugin(name, "sampler", tmp_path, "Ada")
    assert not list(tmp_path.iterdir())


def test_nothing_is_replaced(tmp_path):
    folder = write_plugin("palette", "sampler", tmp_path, "Ada")
    (folder / "README.md").write_text("mine")
    with pytest.raises(InvalidInputError, match="exists already; nothing was written"):
        write_plugin("palette", "sampler", tmp_path, "Ada")
    assert (folder / "README.md").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [folder]
