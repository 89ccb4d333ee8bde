"""Where an adapter is: a registered name, or a folder. Readable without torch."""

from dataclasses import dataclass
from pathlib import Path

from latelier.checkpoints.stored_adapter import ADAPTER_FILE, StoredAdapter, read_adapter
from latelier.kernel.atelier import Atelier
from latelier.kernel.errors import UnknownNameError


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
        UnknownNameError: it is neither; lists those that are registered.
        AmbiguousNameError: several distributions registered the name.
        ModelFileError: the folder holds none, or a damaged one.
        PluginError: a plugin registered a folder that it does not have.
    """
    source = _source(name, atelier)
    return source, read_adapter(source.folder)


def _source(name: str | Path, atelier: Atelier) -> AdapterSource:
    registry = atelier.adapters
    if isinstance(name, str):
        try:
            spec = registry.spec(name)
            return AdapterSource(spec.id, registry.folder(spec.id), spec.version)
        except UnknownNameError as error:
            if not Path(name).expanduser().exists():
                raise UnknownNameError(f"{error} Nor is there a folder of that name.") from None
    path = Path(name).expanduser()
    folder = path.parent if path.name == ADAPTER_FILE and path.is_file() else path
    return AdapterSource(str(folder.resolve()), folder)
