"""The contracts between components, as typed protocols.

Shapes: B images of a batch, C latent channels, h x w latent size, N tokens of width D.
Sigma is the noise's standard deviation in units of x.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class ImportSource(Protocol):
    """Published weights as an importer is shown them: opened safely, and read when asked for."""

    @property
    def path(self) -> Path:
        """The file or folder that was named."""
        ...

    @property
    def config(self) -> Mapping[str, Any] | None:
        """The YAML file of the weights, as plain values; None where there is none."""
        ...

    @property
    def options(self) -> Mapping[str, Any]:
        """What the person said beside: see the importer."""
        ...

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Return the shape of each tensor by name, without reading one; a folder has none."""
        ...

    def tensors(self) -> "Mapping[str, Tensor]":
        """Return the tensors of the file, mapped from disk; a folder has none."""
        ...

    def tensors_of(self, path: Path, /) -> "Mapping[str, Tensor]":
        """Return the tensors of another file of the same model; a pickle is converted first."""
        ...

    def sibling(self, name: str, /) -> bytes | None:
        """Return a small file that lies with the weights, such as a vocabulary; None if none."""
        ...


@dataclass(frozen=True, eq=False)
class ImportedPart:
    """A component as an importer found it.

    id: 'distribution/name' of a registered component. config: its fields. tensors: its state dict,
    complete. assets: its other files, by name.
    """

    id: str
    config: Mapping[str, Any]
    tensors: "Mapping[str, Tensor]" = field(default_factory=dict)
    assets: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Imported:
    """A model as an importer found it.

    parts: by place, "first_stage", "denoiser" and "conditioners.NAME"; or one of the first two
        alone, which becomes a component folder; or "adapter" and "conditioner", which become the
        folder of an adapter.
    process: the fields of the noise process with its `kind`; none for a component alone.
    defaults: of the pipeline; `size` at least.
    inputs: public input -> conditioner; one that is not named is an input itself. Of an adapter
        its name -> "conditioner".
    notes: what was found and chosen, a line each, for people.
    """

    parts: Mapping[str, ImportedPart]
    process: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Importer(Protocol):
    """Reads one format of published weights."""

    @property
    def options(self) -> frozenset[str]:
        """Names of what a person may say beside the source."""
        ...

    def recognises(self, source: ImportSource, /) -> bool:
        """Tell whether the source is of this format: by names, keys and shapes, reading no tensor.

        Formats exclude each other: a source that two importers recognise is an error.
        """
        ...

    def read(self, source: ImportSource, /) -> Imported:
        """Return what there is; the weights stay mapped.

        Raises:
            ModelFileError: the weights are damaged, incomplete, or not what the format says.
            InvalidConfigError: their configuration asks for what there is not here.
        """
        ...
