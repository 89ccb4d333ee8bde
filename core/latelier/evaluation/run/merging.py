"""Joins the parts of a run that several machines have computed."""

import shutil
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from latelier.contracts.errors import EvaluationError, InvalidInputError
from latelier.evaluation.protocol.config import read_evaluation
from latelier.evaluation.records.chunk import list_chunks
from latelier.evaluation.report.results import Results
from latelier.evaluation.run.folder import (
    CHUNKS,
    CONFIG,
    FACTS,
    PICTURES,
    RESULTS,
    check_same,
    clear,
    read_facts,
)
from latelier.evaluation.run.recording import Resources
from latelier.evaluation.run.run import run_evaluation
from latelier.io.atomic import atomic_file


def merge_runs(
    parts: Sequence[Path], out: Path, resources: Resources, *, force: bool = False
) -> Results:
    """Copy the chunks of all parts into one folder, measure them, and write the report.

    A merging that was interrupted goes on with what its folder has.

    Args:
        parts: folders of runs.
        out: folder of the whole.
        resources: that compute the reference.
        force: whether a finished run in `out`, or one of another evaluation, is replaced.

    Raises:
        DataError: a part is not the folder of a run.
        InvalidInputError: `out` has a run and `force` is False, or it has something else.
        InvalidConfigError: the parts are of different evaluations.
        EvaluationError: a chunk is in no part.
    """
    facts = read_facts(parts[0])
    for folder in parts[1:]:
        check_same(read_facts(folder), facts, str(folder))
    config = read_evaluation(parts[0] / CONFIG, {"out": str(out)})
    stored = {path.name for part in parts for path in list_chunks(part / CHUNKS)}
    count = ceil(facts["pictures"] / facts["chunk_size"])
    missing = count - len(stored)
    if missing:
        raise EvaluationError(f"{missing} of {count} chunks are in none of the parts")
    _make_room(out, facts, force=force)
    for part in parts:
        for path in (part / FACTS, *list_chunks(part / CHUNKS), *_list_pictures(part)):
            with atomic_file(out / path.relative_to(part)) as copy:
                shutil.copyfile(path, copy)
    results = run_evaluation(config, resources)
    assert results is not None
    return results


def _make_room(out: Path, facts: Mapping[str, Any], *, force: bool) -> None:
    """Check that a run can be written to a folder, and remove another from it."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / FACTS).is_file():
        raise InvalidInputError(f"{out}: is no folder of an evaluation; name another one")
    is_same = read_facts(out) == facts
    if not force and not (is_same and not (out / RESULTS).exists()):
        raise InvalidInputError(f"{out}: already has a run; --force replaces it")
    if not is_same:
        clear(out)


def _list_pictures(part: Path) -> list[Path]:
    return sorted((part / PICTURES).glob("*.png"))
