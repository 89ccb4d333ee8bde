"""Choosing the importer that reads a source, and running it."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from latelier.checkpoints.importers.identify import identify
from latelier.contracts.errors import LatelierError, ModelFileError, UnknownNameError
from latelier.contracts.importing import ConfigChecker, Imported, Importer, ImportSource
from latelier.contracts.messages import suggestion
from latelier.kernel.atelier import Atelier
from latelier.kernel.registry import Registry
from latelier.kernel.trust.guard import guard_plugin


def choose_importer(
    source: ImportSource, name: str | None, options: Mapping[str, Any], atelier: Atelier
) -> tuple[str, Importer]:
    """Return the id of an importer, and the importer itself.

    Args:
        source: of the weights.
        name: of a registered importer; None: the one that recognizes the source.
        options: for the importer.
        atelier: where importers are registered.

    Raises:
        ModelFileError: no importer recognizes the source, or several do.
        UnknownNameError: there is no importer of that name, or it has no such option.
    """
    registry = atelier.importers
    if name is not None:
        found = [_make_importer(name, registry)]
    else:
        found = find_importers(source, atelier)
    if not found:
        raise ModelFileError(f"{source.path}: {identify(source)}")
    if len(found) > 1:
        ids = " or ".join(id_ for id_, _ in found)
        raise ModelFileError(f"{source.path}: choose an importer with --importer: {ids}")
    id_, importer = found[0]
    for option in options:
        if option not in importer.options:
            raise UnknownNameError(
                f"importer '{id_}' has no option '{option}'. {suggestion(option, importer.options)}"
            )
    return id_, importer


def find_importers(source: ImportSource, atelier: Atelier) -> list[tuple[str, Importer]]:
    """Return the importers that recognize a source, with their ids.

    Raises:
        ModelFileError: the file is damaged, or cannot be read.
    """
    every = (_make_importer(spec.id, atelier.importers) for spec in atelier.importers.specs())
    return [each for each in every if _recognizes(*each, source)]


def _make_importer(name: str, registry: Registry[Any]) -> tuple[str, Importer]:
    id_ = registry.spec(name).id
    with guard_plugin(f"the importer '{id_}'"):
        return id_, registry.get(name)()


def _recognizes(id_: str, importer: Importer, source: ImportSource) -> bool:
    with guard_plugin(f"the importer '{id_}'"):
        return importer.recognizes(source)


def run_importer(id_: str, importer: Importer, source: ImportSource) -> Imported:
    """Return the model that an importer reads in a source.

    Raises:
        ModelFileError: the weights do not fit their configuration; or that is malformed, or has a
            number that is not finite.
        InvalidConfigError: the configuration asks for something that is not supported.
    """
    with _report_malformed_config(id_, source):
        found = importer.read(source)
    configs: dict[str, Any] = {place: part.config for place, part in found.parts.items()}
    for field, number in _numbers(
        {**configs, "process": found.process, "defaults": found.defaults}
    ):
        if not math.isfinite(number):
            raise ModelFileError(f"{source.path}: {field}: expected a finite number, got {number}")
    return found


def check_config(id_: str, importer: Importer, source: ImportSource) -> None:
    """Let an importer that can do so refuse a source by its configuration alone.

    Raises:
        ModelFileError, InvalidConfigError: see `run_importer`.
    """
    if isinstance(importer, ConfigChecker):
        with _report_malformed_config(id_, source):
            importer.check(source)


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Yield each float in nested mappings and sequences, with its path."""
    if isinstance(value, float):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _numbers(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _numbers(each, f"{path}.{index}")


@contextmanager
def _report_malformed_config(id_: str, source: ImportSource) -> Iterator[None]:
    """Turn what an importer raises over an unexpected value in a configuration into one error."""
    try:
        with guard_plugin(f"the importer '{id_}'"):
            yield
    except (LatelierError, OSError):
        raise
    except Exception as error:
        is_missing = isinstance(error, KeyError)
        reason = f"it lacks {error}" if is_missing else f"{type(error).__name__}: {error}"
        raise ModelFileError(
            f"{source.path}: importer '{id_}' cannot read its configuration ({reason})"
        ) from error
