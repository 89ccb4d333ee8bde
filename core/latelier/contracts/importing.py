"""The contract of importers: what they are shown, and what they return."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


class ImportSource(Protocol):
    """Published weights, opened safely. A tensor is read from disk when it is used."""

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
        """The options of the importer that a person has set."""
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
        """Return a small file in the folder of the weights, such as a vocabulary, or None."""
        ...


@dataclass(frozen=True, eq=False)
class ImportedPart:
    """A component that an importer found.

    Attributes:
        id: 'distribution/name' of a registered component.
        config: the fields of its configuration.
        tensors: its complete state dict.
        assets: its other files, by name.
    """

    id: str
    config: Mapping[str, Any]
    tensors: "Mapping[str, Tensor]" = field(default_factory=dict)
    assets: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Imported:
    """A model that an importer found.

    Attributes:
        parts: by place, "first_stage", "denoiser" and "conditioners.NAME"; or one of the first two
            alone, which becomes a component folder; or "adapter" and "conditioner", which become
            the folder of an adapter.
        process: the fields of the noise process with its `kind`; none for a component alone.
        defaults: of the pipeline; `size` at least.
        inputs: public input -> the conditioner or conditioners that it feeds. A conditioner that
            none feeds is an input itself. An adapter has its name -> "conditioner".
        notes: what was found and decided, one human-readable line each.
    """

    parts: Mapping[str, ImportedPart]
    process: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Importer(Protocol):
    """Reads one format of published weights."""

    @property
    def options(self) -> frozenset[str]:
        """Names of the options that a person may set."""
        ...

    def recognizes(self, source: ImportSource, /) -> bool:
        """Return whether the source is of this format, by its names, keys and shapes alone.

        Formats exclude each other: it is an error if two importers recognize a source.
        """
        ...

    def read(self, source: ImportSource, /) -> Imported:
        """Return the model; its weights stay mapped from disk.

        Raises:
            ModelFileError: the weights are damaged, incomplete, or not of the format.
            InvalidConfigError: the configuration asks for something that is not supported.
        """
        ...


@runtime_checkable
class ConfigChecker(Protocol):
    """An importer that can refuse a source by its configuration, before weights are fetched."""

    def check(self, source: ImportSource, /) -> None:
        """Check the configuration; the weights need not be there yet.

        Raises:
            ModelFileError: the configuration is missing or damaged.
            InvalidConfigError: it asks for something that is not supported.
        """
        ...
