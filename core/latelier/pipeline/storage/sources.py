"""Where a pipeline is: an embedded name, a path, or owner/name on the hub."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from latelier.checkpoints.io.hub import HubName, fetch, parse_hub_name
from latelier.contracts.errors import ModelFileError, UnknownNameError
from latelier.contracts.messages import suggestion
from latelier.io.user_folders import expand_home
from latelier.pipeline.storage.manifest_header import MANIFEST, read_manifest_header

DEFAULT_MODEL = "scenes"
"""The embedded model that serves where none is named."""

DEFAULT_FIRST_STAGE = "emoji-scenes"
"""The embedded model whose first stage a training takes that names none."""


@dataclass(frozen=True)
class Source:
    """A folder that holds a manifest.

    Attributes:
        name: by which it can be found again.
        folder: the folder itself.
        revision: the commit of the hub that it was fetched from; None: it is local.
    """

    name: str
    folder: Path
    revision: str | None = None


def list_embedded() -> dict[str, Path]:
    """Return the models that ship in the package, by name, the default one first."""
    root = Path(str(files("latelier"))) / "models"
    folders = {path.parent.name: path.parent for path in root.glob(f"*/{MANIFEST}")}
    return dict(sorted(folders.items(), key=lambda each: (each[0] != DEFAULT_MODEL, each[0])))


def find(name: str) -> Source:
    """Return the source called `name`: embedded, else a path, else owner/name[@revision].

    Only the last may use the network.

    Raises:
        UnknownNameError: it is none of them; the error suggests the nearest embedded name.
        ModelFileError: it is a file and no model, or the hub has no such model or cannot be
            reached.
    """
    if name in list_embedded():
        return Source(name, list_embedded()[name])
    path = expand_home(name)
    try:
        if path.is_dir():
            return Source(str(path.resolve()), path)
        is_file = path.is_file()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None
    if is_file and path.name == MANIFEST:
        return Source(str(path.parent.resolve()), path.parent)
    if is_file:
        raise ModelFileError(
            f"{path}: is a file, and no model. If it is a checkpoint, `latelier import {name} "
            "DEST` makes a model of it"
        )
    hub_name = parse_hub_name(name)
    if hub_name is not None and hub_name.file is None:
        return _fetch_model(hub_name)
    raise UnknownNameError(f"model '{name}' not found, nor a folder of that name. {_hint(name)}")


def _hint(name: str) -> str:
    from latelier.presets import preset_names

    if name in preset_names():
        return f"`latelier models build {name} {name}` makes it, with randomly initialized weights."
    return suggestion(name, list_embedded())


def _fetch_model(name: HubName) -> Source:
    """Fetch the manifest, then the files that it names."""
    folder = fetch(name.repository, name.revision, [MANIFEST])
    if not (folder / MANIFEST).is_file():
        raise ModelFileError(
            f"'{name.repository}' on the hub is not a latelier model: it holds no {MANIFEST}. "
            f"`latelier import {name.repository} DEST` makes one of published weights"
        )
    stored = read_manifest_header(folder).components().values()
    paths = [file.path for each in stored for file in each.files()]
    folder = fetch(name.repository, folder.name, [MANIFEST, *paths])
    return Source(name.repository, folder, folder.name)
