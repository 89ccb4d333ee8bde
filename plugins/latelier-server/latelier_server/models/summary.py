"""What is known of a model before it is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latelier.contracts.errors import UnknownNameError
from latelier.pipeline.storage.catalog import list_models
from latelier.pipeline.storage.manifest_header import read_manifest_header
from latelier.pipeline.storage.sources import find


@dataclass(frozen=True)
class ModelSummary:
    """What is known of a model before it is loaded.

    Attributes:
        name: under which clients ask for it.
        place: from where it is loaded.
        description: one line.
        size: (width, height) of its pictures by default.
        inputs: its public inputs.
        bytes: of its files.
        created: when its files were written, seconds since 1970.
    """

    name: str
    place: str
    description: str
    size: tuple[int, int]
    inputs: tuple[str, ...]
    bytes: int
    created: int


def find_models(names: Sequence[str]) -> list[ModelSummary]:
    """Return summaries of models, of all on this machine if there are no names.

    A folder is known by its last name: clients do not see where it is.

    Raises:
        LatelierError: there is no such model, or two have one name.
    """
    places = list(names) or [info.name for info in list_models()]
    found: dict[str, ModelSummary] = {}
    for place in places:
        summary = _summarize(place)
        if summary.name in found:
            raise UnknownNameError(f"two models have the name '{summary.name}'; rename a folder")
        found[summary.name] = summary
    if not found:
        raise UnknownNameError("there is no model on this machine; name one of the hub or a folder")
    return list(found.values())


def _summarize(place: str) -> ModelSummary:
    source = find(place)
    header = read_manifest_header(source.folder)
    files = [each for each in Path(source.folder).rglob("*") if each.is_file()]
    return ModelSummary(
        name=Path(place).resolve().name if Path(place).is_dir() else place,
        place=place,
        description=header.description,
        size=header.defaults.size,
        inputs=tuple(header.inputs),
        bytes=sum(each.stat().st_size for each in files),
        created=int(max(each.stat().st_mtime for each in files)),
    )
