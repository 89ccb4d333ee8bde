"""Where an adapter is: a registered name, or a folder. Readable without torch."""

from dataclasses import dataclass
from pathlib import Path

from latelier.checkpoints.stored_adapter import ADAPTER_FILE, StoredAdapter, read_adapter
from latelier.kernel.atelier import Atelier
from latelier.kernel.errors import InvalidInputError, UnknownNameError


@dataclass(frozen=True)
class AdapterSource:
    """A folder that holds an adapter, and the name by which it can be found again.

    name: id of a registered one, or the folder. version: of the distribution that registered it.
    """

    name: str
    folder: Path
    version: str | None = None


def find_adapter(name: str | Path, atelier: Atelier) -> tuple[AdapterSource, StoredAdapter]:
    """Return the adapter called `name`, and what it says of itself: registered, else a folder.

    Raises:
        InvalidInputError: it is no name or path.
        UnknownNameError: it is neither; lists those that are registered.
        AmbiguousNameError: several distributions registered the name.
        ModelFileError: the folder holds none, or a damaged one.
        PluginError: a plugin registered a folder that it does not have.
    """
    source = _source(name, atelier)
    return source, read_adapter(source.folder)


def _source(name: str | Path, atelier: Atelier) -> AdapterSource:
    if not isinstance(name, str | Path):
        raise InvalidInputError(f"an adapter is a registered name or a folder, not {name!r:.80}")
    registry = atelier.adapters
    path = _expanded(name)
    if isinstance(name, str):
        try:
            spec = registry.spec(name)
            return AdapterSource(spec.id, registry.folder(spec.id), spec.version)
        except UnknownNameError as error:
            if not path.exists():
                raise UnknownNameError(f"there is no folder '{name}', and {error}") from None
    folder = path.parent if path.name == ADAPTER_FILE else path
    return AdapterSource(str(folder.resolve()), folder)


def _expanded(name: str | Path) -> Path:
    """Return a path, in the folder of a user where it begins with one that there is."""
    try:
        return Path(name).expanduser()
    except RuntimeError:  # of nobody
        return Path(name)
