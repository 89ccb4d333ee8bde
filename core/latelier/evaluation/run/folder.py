"""The folder of a run: what its records are of, and their chunks.

evaluation.yaml   the configuration
facts.json        what determines the records; a run goes on only if it is the same
chunks/           a file for each chunk
pictures/         the pictures that are kept
reference.safetensors   statistics of the reference pictures, if the run computed them
results.json, results.csv, results.md
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from latelier.checkpoints.io.json_files import read_json_object
from latelier.contracts.errors import DataError, InvalidConfigError
from latelier.evaluation.protocol.config import to_yaml
from latelier.evaluation.records.chunk import (
    Chunk,
    ChunkHeader,
    chunk_path,
    list_chunks,
    read_header,
    write_chunk,
)
from latelier.evaluation.run.evaluation import Evaluation
from latelier.evaluation.tasks.model import to_pil
from latelier.io.atomic import atomic_file, remove_leftovers, write_bytes, write_json
from latelier.io.file_lock import claim

CONFIG = "evaluation.yaml"
FACTS = "facts.json"
CHUNKS = "chunks"
PICTURES = "pictures"
REFERENCE = "reference.safetensors"
RESULTS = "results.json"
REPORT = (RESULTS, "results.csv", "results.md")


@contextmanager
def hold_folder(folder: Path, evaluation: Evaluation) -> Iterator[None]:
    """Make the folder of a run, or check that what is in it is of the same evaluation; claim it.

    A folder that was made is removed if an error ends the run before anything is stored.

    Raises:
        InvalidConfigError: it holds another evaluation, or another process works in it.
        OSError: it cannot be written.
    """
    facts = json.loads(json.dumps(evaluation.facts))
    _check_content(folder, facts)
    (folder / CHUNKS).mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(claim(folder))
        except BlockingIOError:
            raise InvalidConfigError(f"out: another process evaluates in {folder}") from None
        _check_content(folder, facts)  # another process may have been here
        is_new = not (folder / FACTS).is_file()
        if is_new:
            write_json(folder / FACTS, facts)
        for inner in (folder, folder / CHUNKS, folder / PICTURES):
            remove_leftovers(inner)
        write_bytes(folder / CONFIG, to_yaml(evaluation.config).encode())
        try:
            yield
        except BaseException:
            if is_new and {path.name for path in folder.rglob("*")} == {CONFIG, FACTS, CHUNKS}:
                discard(folder)
            raise


def read_facts(folder: Path) -> dict[str, Any]:
    """Return the facts of the run in a folder.

    Raises:
        DataError: it is not the folder of a run.
    """
    path = folder / FACTS
    if not path.is_file():
        raise DataError(f"{folder}: is not the folder of an evaluation: it has no {FACTS}")
    return read_json_object(path)


def read_stored(folder: Path, evaluation: Evaluation) -> dict[int, ChunkHeader]:
    """Return the headers of the chunks that are stored, by their numbers.

    Raises:
        DataError: a file is damaged, or of another evaluation.
    """
    headers = {}
    for path in list_chunks(folder / CHUNKS):
        header = read_header(path)
        if header.identity != evaluation.identity:
            raise DataError(f"{path}: is a chunk of another evaluation; remove it")
        headers[header.number] = header
    return headers


def store(folder: Path, chunk: Chunk, identity: str) -> None:
    """Write a chunk of the evaluation with an identity, after its pictures that are kept.

    Raises:
        OSError: a file cannot be written.
    """
    for index, image in chunk.kept.items():
        with atomic_file(folder / PICTURES / f"{index:06d}.png") as path:
            to_pil(image).save(path, "PNG")
    write_chunk(folder / CHUNKS, chunk, identity)


def list_files(folder: Path, numbers: Iterable[int]) -> list[Path]:
    """Return the files of chunks by their numbers."""
    return [chunk_path(folder / CHUNKS, number) for number in numbers]


def discard(folder: Path) -> None:
    """Remove the records of a run, and its folder if it has nothing else.

    Raises:
        OSError: a file cannot be removed.
    """
    for path in list_chunks(folder / CHUNKS):
        path.unlink()
    for name in (CONFIG, FACTS):
        (folder / name).unlink()
    with suppress(OSError):  # it is not empty
        (folder / CHUNKS).rmdir()
        folder.rmdir()


def clear(folder: Path) -> None:
    """Remove the files of a run from its folder; others stay.

    Raises:
        OSError: a file cannot be removed.
    """
    for path in (
        *(folder / PICTURES).glob("*.png"),
        *(folder / name for name in (REFERENCE, *REPORT)),
    ):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # it is not empty
        (folder / PICTURES).rmdir()
    discard(folder)


def check_same(found: Mapping[str, Any], expected: Mapping[str, Any], where: str) -> None:
    """Check that facts are those of another run.

    Raises:
        InvalidConfigError: they differ; the error names how.
    """
    changed = list(_list_changes(found, expected))
    if changed:
        name, there, here = changed[0]
        raise InvalidConfigError(
            f"{where} has another {', '.join(name for name, *_ in changed)} ({name}: "
            f"{_show(there)} there, {_show(here)} here): use the same values"
            f"{' and files' if name.endswith('files') else ''}, or name another out"
        )


def _list_changes(
    found: Mapping[str, Any], expected: Mapping[str, Any], parent: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted names of the values that differ, and both values."""
    for name in sorted({*found, *expected}):
        there, here = found.get(name), expected.get(name)
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            yield from _list_changes(there, here, f"{parent}{name}.")
        elif there != here:
            yield f"{parent}{name}", there, here


def _check_content(folder: Path, facts: Mapping[str, Any]) -> None:
    """Check that a folder has a run with these facts, or no file of the name of one of a run."""
    if (folder / FACTS).is_file():
        check_same(read_facts(folder), facts, f"out: {folder}")
        return
    for name in (CONFIG, CHUNKS, PICTURES, REFERENCE, *REPORT):
        path = folder / name
        if any(path.iterdir()) if path.is_dir() else path.exists():
            raise InvalidConfigError(
                f"out: {path} was not written by a run, and would be overwritten; name another out"
            )


def _show(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else f"{text[:120]}..."
