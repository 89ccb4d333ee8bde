"""Which importer reads a source."""

from collections.abc import Mapping
from typing import Any

from latelier.contracts.errors import LatelierError, ModelFileError, UnknownNameError, suggestion
from latelier.contracts.importing import Imported, Importer, ImportSource
from latelier.kernel.atelier import Atelier


def choose_importer(
    source: ImportSource, name: str | None, options: Mapping[str, Any], atelier: Atelier
) -> tuple[str, Importer]:
    """Return the id of an importer, and the importer: the one called `name`, or that recognises.

    Raises:
        ModelFileError: none recognises the source, or several do.
        UnknownNameError: there is no importer of that name, or it has no such option.
    """
    registry = atelier.importers
    if name is not None:
        found = [(registry.spec(name).id, registry.get(name)())]
    else:
        every = [(spec.id, registry.get(spec.id)()) for spec in registry.specs()]
        found = [(id_, importer) for id_, importer in every if importer.recognises(source)]
    if not found:
        raise ModelFileError(
            f"{source.path}: is of no format that is known ({', '.join(registry.names())}). A "
            "checkpoint of CompVis needs its YAML beside it, or --config"
        )
    if len(found) > 1:
        ids = " or ".join(id_ for id_, _ in found)
        raise ModelFileError(
            f"{source.path}: several importers take it; choose with --importer: {ids}"
        )
    id_, importer = found[0]
    for option in options:
        if option not in importer.options:
            raise UnknownNameError(
                f"importer '{id_}' has no option '{option}'. {suggestion(option, importer.options)}"
            )
    return id_, importer


def run_importer(id_: str, importer: Importer, source: ImportSource) -> Imported:
    """Return what an importer reads in a source.

    Configurations come from strangers: one whose values are of types that the importer did not
    think of is told as that, with the importer's own error as the cause.

    Raises:
        ModelFileError: the weights are not those of their configuration, or that is malformed.
        InvalidConfigError: it asks for what there is not here.
    """
    try:
        return importer.read(source)
    except LatelierError:
        raise
    except Exception as error:
        lacks = isinstance(error, KeyError)
        reason = f"it lacks {error}" if lacks else f"{type(error).__name__}: {error}"
        raise ModelFileError(
            f"{source.path}: importer '{id_}' cannot make sense of its configuration ({reason})"
        ) from error
