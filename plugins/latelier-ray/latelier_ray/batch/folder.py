"""The output of a batch: a file for each chunk of rows, and what it was made of.

job.json            what determines the pictures; a job goes on only if it is the same
shards/000012.tar   or .parquet: the pictures of chunk 12; written whole, or not there
errors/000012.jsonl the rows of chunk 12 without a picture, and why; written before the shard
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latelier.checkpoints.io.json_files import read_json_object
from latelier.contracts.errors import InvalidInputError
from latelier.io.atomic import remove_leftovers, write_bytes, write_json
from latelier.io.file_lock import claim

JOB = "job.json"
SHARDS = "shards"
ERRORS = "errors"


@dataclass(frozen=True)
class BatchFolder:
    """The folder of a batch.

    Attributes:
        path: of the folder.
        suffix: of the shards.
    """

    path: Path
    suffix: str

    def shard(self, number: int) -> Path:
        """Return the file of the pictures of a chunk."""
        return self.path / SHARDS / f"{number:06d}{self.suffix}"

    def errors(self, number: int) -> Path:
        """Return the file of the rows of a chunk without a picture."""
        return self.path / ERRORS / f"{number:06d}.jsonl"

    def finished(self) -> set[int]:
        """Return the numbers of the chunks that are stored."""
        return {int(path.stem) for path in (self.path / SHARDS).glob(f"[0-9]*{self.suffix}")}

    def failed(self) -> dict[int, int]:
        """Return how many rows of a chunk have no picture, by its number."""
        paths = sorted((self.path / ERRORS).glob("[0-9]*.jsonl"))
        return {int(path.stem): len(path.read_bytes().splitlines()) for path in paths}

    def write_errors(self, number: int, rows: Sequence[Mapping[str, str]]) -> None:
        """Replace the errors of a chunk, before its shard is written.

        Raises:
            OSError: the file cannot be written.
        """
        path = self.errors(number)
        if rows:
            lines = "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in rows)
            write_bytes(path, lines.encode())
        else:
            path.unlink(missing_ok=True)


def check_folder(folder: Path, facts: Mapping[str, Any]) -> None:
    """Check that a folder is new, or has the job of some facts.

    Raises:
        InvalidInputError: it has another job, or something else.
    """
    path = folder / JOB
    if not path.is_file():
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise InvalidInputError(f"{folder}: has other files and no {JOB}; name another folder")
        return
    found, expected = _flatten(read_json_object(path)), _flatten(facts)
    for name in {**expected, **found}:  # in order: settings before the rows that they change
        if found.get(name) != expected.get(name):
            raise InvalidInputError(
                f"{folder}: has another job, with another {name} ({found.get(name)} there, "
                f"{expected.get(name)} here): repeat its command, or name another folder"
            )


@contextmanager
def hold_folder(folder: BatchFolder, facts: Mapping[str, Any]) -> Iterator[None]:
    """Make the folder of a job or go on with it, and claim it for this process.

    Raises:
        InvalidInputError: it has another job, or another process works in it.
        OSError: it cannot be written.
    """
    check_folder(folder.path, facts)
    for name in (SHARDS, ERRORS):
        (folder.path / name).mkdir(parents=True, exist_ok=True)
    try:
        with claim(folder.path):
            _remove_leftovers(folder.path)  # of a command that was killed
            is_new = not (folder.path / JOB).is_file()
            write_json(folder.path / JOB, facts)
            try:
                yield
            finally:
                _remove_leftovers(folder.path)  # of workers that were killed
                if is_new:
                    _remove_empty(folder.path)
    except BlockingIOError:
        raise InvalidInputError(f"{folder.path}: another process works in it") from None


def _remove_leftovers(folder: Path) -> None:
    for inner in (folder, folder / SHARDS, folder / ERRORS):
        remove_leftovers(inner)


def _remove_empty(folder: Path) -> None:
    """Remove a folder in which nothing was stored."""
    if {path.name for path in folder.rglob("*")} == {JOB, SHARDS, ERRORS}:
        (folder / JOB).unlink()
        with suppress(OSError):  # such as one that is mounted
            for path in (folder / SHARDS, folder / ERRORS, folder):
                path.rmdir()


def _flatten(values: Mapping[str, Any], parent: str = "") -> dict[str, Any]:
    """Return values by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in json.loads(json.dumps(values)).items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{parent}{name}.")
        else:
            flat[f"{parent}{name}"] = value
    return flat
