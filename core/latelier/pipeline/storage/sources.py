"""Where a pipeline is: an embedded name, a path, or owner/name on the hub."""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from latelier.contracts.errors import ModelFileError, UnknownNameError, suggestion
from latelier.io.user_folders import expand_home
from latelier.pipeline.storage.manifest_header import MANIFEST, read_manifest_header

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")


@dataclass(frozen=True)
class Source:
    """A folder that holds a manifest, and the name by which it can be found again.

    revision: the commit of the hub that it was taken from.
    """

    name: str
    folder: Path
    revision: str | None = None


def embedded() -> dict[str, Path]:
    """Return the models that ship in the package, by name."""
    root = Path(str(files("latelier"))) / "models"
    return {path.parent.name: path.parent for path in sorted(root.glob(f"*/{MANIFEST}"))}


def find(name: str) -> Source:
    """Return the source called `name`: embedded, else a path, else owner/name[@revision].

    Only the last may use the network.

    Raises:
        UnknownNameError: it is none of them; the nearest embedded name is suggested.
        ModelFileError: the hub has no such model, or cannot be reached.
    """
    if name in embedded():
        return Source(name, embedded()[name])
    path = expand_home(name)
    if path.is_dir():
        return Source(str(path.resolve()), path)
    if path.is_file() and path.name == MANIFEST:
        return Source(str(path.parent.resolve()), path.parent)
    if _HUB_ID.fullmatch(name) and not name.startswith("."):
        return _from_hub(name)
    from latelier.presets import preset_names

    hint = suggestion(name, embedded())
    if name in preset_names():
        hint = f"`latelier models build {name} {name}` makes it, with fresh weights."
    raise UnknownNameError(f"there is no model '{name}', and no folder of that name. {hint}")


def _from_hub(name: str) -> Source:
    """Fetch the manifest, then the files that it names."""
    repository, _, revision = name.partition("@")
    folder = _snapshot(repository, revision or None, [MANIFEST])
    if not (folder / MANIFEST).is_file():
        raise ModelFileError(f"'{repository}' on the hub is not a latelier model: no {MANIFEST}")
    stored = read_manifest_header(folder).components().values()
    files = [file.path for each in stored for file in each.files()]
    folder = _snapshot(repository, folder.name, [MANIFEST, *files])
    return Source(repository, folder, folder.name)


def _snapshot(repository: str, revision: str | None, files: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=files))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelFileError(
            f"there is no folder '{repository}', and it could not be fetched from the hub: {reason}"
        ) from None
