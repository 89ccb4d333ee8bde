"""The machine of a worker: it must see the files of the command, and have its versions."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch
from latelier._version import __version__
from latelier.contracts.errors import CompatibilityError, DataError


def list_versions() -> dict[str, str]:
    """Return the versions on which results depend."""
    return {"latelier": __version__, "torch": torch.__version__}


@dataclass(frozen=True)
class Home:
    """Where a command was started: its workers read relative paths as it does.

    Attributes:
        folder: the current one.
        versions: on which results depend.
    """

    folder: Path
    versions: dict[str, str]

    @classmethod
    def here(cls) -> "Home":
        """Return that of this process."""
        return cls(Path.cwd(), list_versions())

    def enter(self, output: Path) -> None:
        """Go to the folder, in a worker; check that this machine sees it and the output.

        Raises:
            DataError: it does not.
            CompatibilityError: it has other versions.
        """
        for path in (self.folder, output):
            if not path.is_dir():
                raise DataError(
                    f"{path}: the machine {platform.node()} does not see it; start the command in, "
                    "and write to, a folder that all machines of the cluster share"
                )
        os.chdir(self.folder)
        if list_versions() != self.versions:
            raise CompatibilityError(
                f"the machine {platform.node()} has {_show(list_versions())}, and the command "
                f"{_show(self.versions)}; install the same on all machines"
            )


def _show(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
