"""How a manifest names a component and its files. Readable without torch."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from latelier.kernel.errors import ModelFileError
from latelier.kernel.frozen import Frozen

COMPONENT_FILE = "component.json"
"""In the folder of a component alone, in place of the manifest of a model."""


def _known(value: Any) -> Any:
    if isinstance(value, int) and value > 1:
        raise ValueError(f"format {value} is of a later latelier: pip install --upgrade latelier")
    return value


Format = Annotated[Literal[1], BeforeValidator(_known)]
"""Of what latelier writes; a later one is refused with the pip line."""


class StoredFile(Frozen):
    """A file of a model folder. path: relative to the folder."""

    path: str
    sha256: str

    def within(self, folder: Path) -> Path:
        """Return the file's place.

        Raises:
            ModelFileError: it would lie outside the folder.
        """
        if Path(self.path).is_absolute() or ".." in Path(self.path).parts:
            raise ModelFileError(
                f"{folder}: the manifest names the file '{self.path}' outside the folder"
            )
        return folder / self.path


class StoredComponent(Frozen):
    """A component as a manifest names it."""

    id: str = Field(description="'distribution/name'")
    version: str = Field(description="version of the distribution that wrote it")
    config: dict[str, Any]
    weights: StoredFile | None = None
    assets: dict[str, StoredFile] = Field(default_factory=dict)

    def files(self) -> list[StoredFile]:
        """Return its weights and assets."""
        return [*([self.weights] if self.weights else []), *self.assets.values()]
