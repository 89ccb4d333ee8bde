"""Opening registered databases of pictures."""

from functools import cache
from pathlib import Path

from latelier.contracts.databases import Database
from latelier.databases.folder import FolderDatabase
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.guard import guard_plugin


def open_database(name: str, atelier: Atelier) -> Database:
    """Return the database of a registered name.

    Raises:
        UnknownNameError: nobody registered it.
        AmbiguousNameError: several distributions registered it.
        PluginError: its plugin fails.
        DataError: its folder has no pictures, or its words are damaged.
    """
    registry = atelier.databases
    spec = registry.spec(name)
    if spec.folder is not None:
        return _open_folder(registry.folder(spec.id))
    factory = registry.get(spec.id)
    with guard_plugin(f"the database '{spec.id}'"):
        return factory()


@cache
def _open_folder(folder: Path) -> FolderDatabase:
    return FolderDatabase(folder)
