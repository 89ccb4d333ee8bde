"""Where the source of an import is: a path, or owner/name[@revision] on the hub.

Of a repository on the hub the configurations are fetched first, so that a model that cannot be
imported is refused before its weights are fetched.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from latelier.checkpoints.importers.diffusers.folder import CONFIG, INDEX, read_config
from latelier.checkpoints.importers.diffusers.index import (
    DENOISER,
    FIRST_STAGE,
    WITH_WEIGHTS,
    read_folders,
)
from latelier.checkpoints.importers.diffusers.weight_names import (
    STEM,
    SUFFIXES,
    TEXT_STEMS,
    find_weight_files,
)
from latelier.checkpoints.importers.source import WEIGHTS
from latelier.checkpoints.io.hub import HubName, fetch, find_fetched, list_files, parse_hub_name
from latelier.contracts.errors import ModelFileError
from latelier.contracts.messages import suggestion
from latelier.io.user_folders import expand_home

_SIBLINGS = (".yaml", ".yml", "vocab.txt", "vocab.json", "merges.txt", "tokenizer.json")
"""Ends of the names of files that are read from the folder of a checkpoint."""

_CONFIGURATIONS = (".json", ".txt", ".model")


@dataclass(frozen=True)
class Located:
    """A source on this machine.

    Attributes:
        path: of the file or folder.
        name: human-readable; that of a repository ends in its commit.
        configured: whether the configurations are there already, and the weights are not.
        repository: owner/name on the hub; None for a path.
        missing: files of the repository that `fetch_weights` fetches.
    """

    path: Path
    name: str
    configured: bool = False
    repository: str | None = None
    missing: Sequence[str] = ()

    def fetch_weights(self) -> None:
        """Fetch the weights of a repository; of a path there is nothing to fetch.

        Raises:
            ModelFileError: the hub cannot be reached.
        """
        if self.repository is not None and self.missing:
            fetch(self.repository, self.name.rpartition("@")[2], self.missing)


def locate(source: str) -> Located:
    """Return where a source is, with the configurations of a repository fetched.

    An existing path comes first. owner/name/FILE is one file of a repository, with the YAML and
    vocabulary files of that; owner/name/FOLDER is a folder of diffusers in it. A repository whose
    only model is in a folder stands for that. Without network, or with HF_HUB_OFFLINE set, a
    repository that was fetched earlier is used.

    Raises:
        ModelFileError: there is no such path, and the hub has no such model or cannot be reached.
    """
    path = expand_home(source)
    if path.exists():
        return Located(path, path.name)
    name = parse_hub_name(source)
    if name is None:
        raise ModelFileError(f"{source}: file or folder not found")
    try:
        files = list_files(name)
    except ModelFileError:
        with suppress(ModelFileError):
            snapshot = find_fetched(name)
            return _as_located(snapshot, _find_place(name, _list_fetched(snapshot)))
        raise
    name = _find_place(name, files)
    if (name.file or "") in _list_model_folders(files):
        return _locate_folder(name, files)
    if name.file is not None and name.file not in files:
        known = [path for path in files if path.endswith(WEIGHTS)] + _list_model_folders(files)
        raise ModelFileError(
            f"'{name.repository}' has no file '{name.file}'. {suggestion(name.file, known)}"
        )
    file = name.file or only_checkpoint(name.repository, files)
    siblings = _in_folders(files, ["", _parent(file)], _SIBLINGS)
    snapshot = fetch(name.repository, name.revision, siblings)
    if name.file is None:
        name = replace(name, file=_parent(file) or None)
    return _as_located(snapshot, name, missing=[file])


def weights_of_folders(files: Sequence[str], folders: Sequence[str]) -> list[str]:
    """Return the weights of each folder in its preferred variant.

    Args:
        files: all paths of a repository.
        folders: whose weights are read; "" is the root.
    """
    return [path for folder in folders for path in _one_variant(files, folder)]


def only_checkpoint(repository: str, files: Sequence[str]) -> str:
    """Return the one checkpoint in a repository.

    Raises:
        ModelFileError: there are several, or none.
    """
    found = [path for path in files if path.endswith(WEIGHTS)]
    if len(found) != 1:
        some = ", ".join(f"{repository}/{path}" for path in found[:10]) or "none"
        raise ModelFileError(f"'{repository}' has {len(found)} checkpoints; name one: {some}")
    return found[0]


def _one_variant(files: Sequence[str], folder: str) -> list[str]:
    """Return the weights in a folder that belong to its preferred variant."""
    start = f"{folder}/" if folder else ""
    names = [path.removeprefix(start) for path in files if path.startswith(start)]
    stems: tuple[str, ...] = TEXT_STEMS if folder else (STEM, *TEXT_STEMS)
    if folder in (*DENOISER, *FIRST_STAGE):
        stems = (STEM,)
    return [start + name for name in find_weight_files(names, *stems)]


def _find_place(name: HubName, files: Sequence[str]) -> HubName:
    """Return the name with the folder of the only model, if that is not in the root.

    Raises:
        ModelFileError: several folders hold a model.
    """
    folders = _list_model_folders(files)
    if name.file is not None or not folders or "" in folders:
        return name
    inner = tuple(f"{folder}/" for folder in folders)
    if any(path.endswith(WEIGHTS) and not path.startswith(inner) for path in files):
        return name
    if len(folders) > 1:
        some = ", ".join(f"{name.repository}/{folder}" for folder in folders[:10])
        raise ModelFileError(f"'{name.repository}' has {len(folders)} models; name one: {some}")
    return replace(name, file=folders[0])


def _list_model_folders(files: Sequence[str]) -> list[str]:
    """Return the folders of models in the format of diffusers; "" is the root."""
    if CONFIG in files and INDEX not in files:
        return [""]
    for file in (INDEX, CONFIG):
        found = sorted({_parent(path) for path in files if f"/{path}".endswith(f"/{file}")})
        if file == CONFIG:
            found = [folder for folder in found if weights_of_folders(files, [folder])]
        if found:
            return found
    return []


def _list_fetched(snapshot: Path) -> list[str]:
    return [path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*")]


def _locate_folder(name: HubName, files: Sequence[str]) -> Located:
    """Return a repository in the format of diffusers, with the configurations that are read.

    Raises:
        ModelFileError: a component has no weights, or the hub cannot be reached.
    """
    start = f"{name.file}/" if name.file else ""
    own = [path.removeprefix(start) for path in files if path.startswith(start)]

    def fetch_own(revision: str | None, paths: Sequence[str]) -> Path:
        return fetch(name.repository, revision, [start + path for path in paths])

    snapshot = fetch_own(name.revision, _in_folders(own, [""], _CONFIGURATIONS))
    index = read_config(snapshot / start / INDEX) if INDEX in own else {}
    folders, others = read_folders(index)
    for each in folders:
        if each in ("", *WITH_WEIGHTS) and not weights_of_folders(own, [each]):
            where = f" in the folder '{start}{each}'" if each else ""
            raise ModelFileError(
                f"'{name.repository}' has no weights{where}: expected {' or '.join(SUFFIXES)}"
            )
    if index:
        fetch_own(snapshot.name, _in_folders(own, [*folders, *others], _CONFIGURATIONS))
    weights = [start + path for path in weights_of_folders(own, folders)]
    return _as_located(snapshot, name, True, weights)


def _in_folders(files: Sequence[str], folders: Sequence[str], ends: tuple[str, ...]) -> list[str]:
    """Return the files with these ends that are directly in one of the folders; "" is the root."""
    return [path for path in files if path.endswith(ends) and _parent(path) in folders]


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _as_located(
    folder: Path, name: HubName, configured: bool = False, missing: Sequence[str] = ()
) -> Located:
    path = folder / name.file if name.file else folder
    source = f"{name.repository}/{name.file}" if name.file else name.repository
    return Located(path, f"{source}@{folder.name}", configured, name.repository, missing)
