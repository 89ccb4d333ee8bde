"""Joins the parts of a run that several machines have computed."""

import shutil
from collections.abc import Sequence
from math import ceil
from pathlib import Path

from latelier.contracts.errors import EvaluationError
from latelier.evaluation.protocol.config import read_evaluation
from latelier.evaluation.records.chunk import list_chunks
from latelier.evaluation.report.results import Results
from latelier.evaluation.run.folder import (
    CHUNKS,
    CONFIG,
    FACTS,
    PICTURES,
    check_same,
    read_facts,
)
from latelier.evaluation.run.recording import Resources
from latelier.evaluation.run.run import run_evaluation
from latelier.io.atomic import atomic_file


def merge_runs(parts: Sequence[Path], out: Path, resources: Resources) -> Results:
    """Copy the chunks of all parts into one folder, measure them, and write the report.

    Raises:
        DataError: a part is not the folder of a run.
        InvalidConfigError: the parts are of different evaluations.
        EvaluationError: a chunk is in no part.
    """
    facts = read_facts(parts[0])
    for folder in (*parts[1:], *([out] if (out / FACTS).is_file() else [])):
        check_same(read_facts(folder), facts, str(folder))
    config = read_evaluation(parts[0] / CONFIG, {"out": str(out)})
    stored = {path.name for part in parts for path in list_chunks(part / CHUNKS)}
    count = ceil(facts["pictures"] / facts["chunk_size"])
    missing = count - len(stored)
    if missing:
        raise EvaluationError(f"{missing} of {count} chunks are in none of the parts")
    for part in parts:
        for path in (part / FACTS, *list_chunks(part / CHUNKS), *_list_pictures(part)):
            with atomic_file(out / path.relative_to(part)) as copy:
                shutil.copyfile(path, copy)
    results = run_evaluation(config, resources)
    assert results is not None
    return results


def _list_pictures(part: Path) -> list[Path]:
    return sorted((part / PICTURES).glob("*.png"))
