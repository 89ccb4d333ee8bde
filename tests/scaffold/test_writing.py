"""What `latelier plugins new` writes is a distribution that passes the conformance kit."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from typing import get_args

import pytest
import yaml

from latelier.contracts.errors import InvalidInputError
from latelier.scaffold.kinds import PluginKind
from latelier.scaffold.writing import MAX_NAME_LENGTH, write_plugin

KINDS = get_args(PluginKind)
NAMES = ("a", "tone", "warm-tone", "quite-a-long-name-1", "long-" * 5 + "names")


def install(folder):
    """Put metadata next to the package, as pip would, so that the folder works on a path."""
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


def run(folder, *command):
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """One installed plugin of each kind."""
    parent = tmp_path_factory.mktemp("plugins")
    return {kind: install(write_plugin(f"warm-{kind}", kind, parent, "Ada")) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_passes_the_conformance_kit(kind, written):
    done = run(written[kind], "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def test_a_new_plugin_passes_ruff_for_every_name_length(tmp_path):
    assert len(NAMES[-1]) == MAX_NAME_LENGTH
    for name in NAMES:
        for kind in KINDS:
            write_plugin(name, kind, tmp_path / kind, "Ada")
    for command in (("check", "."), ("format", "--check", ".")):
        done = run(tmp_path, "-m", "ruff", *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_plugin_passes_mypy(written):
    packages = [path.parent for folder in written.values() for path in folder.glob("*/py.typed")]
    done = run(packages[0].parent, "-m", "mypy", "--strict", *map(str, packages))
    assert done.returncode == 0, done.stdout + done.stderr


def blocks_of(folder, language):
    return re.findall(rf"```{language}\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "adapter"])
def test_the_python_of_the_readme_runs(kind, written):
    for block in blocks_of(written[kind], "python"):
        done = run(written[kind], "-c", f"{block}\nprint(picture.image.size)")
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(r"\(\d+, \d+\)\n", done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_the_commands_of_the_readme_run(kind, written):
    commands = [line for each in blocks_of(written[kind], "console") for line in each.splitlines()]
    others = [line.split(" ")[0] for line in commands if not line.startswith("latelier ")]
    assert others == ["pip", "pip", "pytest", "python"]
    later = ("train", "generate") if kind == "adapter" else ("train",)  # in a test of its own
    for line in commands:
        words = shlex.split(line)
        if words[0] == "latelier" and words[1] not in later:
            done = run(written[kind], "-m", *words)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_the_development_extra_has_the_tools_of_the_readme(written):
    project = tomllib.loads((written["sampler"] / "pyproject.toml").read_text())["project"]
    extra = " ".join(project["optional-dependencies"]["dev"])
    assert all(each in extra for each in ("build", "latelier[testing]", "mypy", "ruff"))


def test_an_adapter_is_trained_used_and_registered_as_documented(tmp_path):
    folder = install(write_plugin("brightness", "adapter", tmp_path, "Ada"))
    training = folder / "training.yaml"
    config = yaml.safe_load(training.read_text()) | {"steps": 2, "batch_size": 2}
    training.write_text(yaml.safe_dump(config))
    lines = blocks_of(folder, "console")
    [train] = [line for line in lines if "train adapter" in line]
    done = run(folder, "-m", *shlex.split(train))
    assert done.returncode == 0, done.stderr
    [block] = blocks_of(folder, "python")
    done = run(folder, "-c", block)
    assert done.returncode == 0, done.stderr

    (folder / "runs/brightness/result").rename(folder / "latelier_brightness" / "adapter")
    [generate] = [line for line in lines if "generate" in line]
    done = run(folder, "-m", *shlex.split(generate), "--steps", "2", "-o", "cat.png")
    assert done.returncode == 0, done.stderr


def test_folder_package_and_files_have_their_names(tmp_path):
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
    "name", ["", "Palette", "pal ette", "../palette", "9lives", "class", "a--b", "a" * 31]
)
def test_invalid_names_are_refused(name, tmp_path):
    with pytest.raises(InvalidInputError, match=r"invalid name .*: expected at most 30 lower-case"):
        write_plugin(name, "sampler", tmp_path, "Ada")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["torch", "latelier-pairwise"])
def test_names_of_imported_modules_are_refused(name, tmp_path):
    with pytest.raises(InvalidInputError, match="the plugin's code imports"):
        write_plugin(name, "sampler", tmp_path, "Ada")
    assert not list(tmp_path.iterdir())


def test_existing_folders_are_not_replaced(tmp_path):
    folder = write_plugin("palette", "sampler", tmp_path, "Ada")
    (folder / "README.md").write_text("mine")
    with pytest.raises(InvalidInputError, match="exists already; nothing was written"):
        write_plugin("palette", "sampler", tmp_path, "Ada")
    assert (folder / "README.md").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [folder]
