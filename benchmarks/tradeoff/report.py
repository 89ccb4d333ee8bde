"""The report of the study: numbers, tables, figures, pictures, and how everything was trained.

python -m benchmarks.tradeoff.report [--out runs/tradeoff] [--to benchmarks/tradeoff/results]
"""

import argparse
import shutil
from pathlib import Path

from benchmarks.tradeoff.plot import plot_progress, plot_throughput
from benchmarks.tradeoff.results import read_results
from benchmarks.tradeoff.samples import draw_samples
from benchmarks.tradeoff.study import Study, read_study
from benchmarks.tradeoff.tables import format_tables
from latelier.io.atomic import write_bytes, write_json

_RECORDS = {"config.yaml": ".yaml", "log.jsonl": ".jsonl", "report.json": ".json"}
"""Files in the folder of a training -> their suffixes in the report."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/tradeoff"), help="of the study")
    parser.add_argument("--to", type=Path, default=Path("benchmarks/tradeoff/results"))
    arguments = parser.parse_args()
    write_report(read_study(arguments.out), arguments.to)


def write_report(study: Study, folder: Path) -> None:
    """Write the report of all that is measured up to now."""
    results = read_results(study)
    write_json(folder / "results.json", results.model_dump())
    write_bytes(folder / "tables.md", format_tables(results).encode())
    plot_progress(results, folder / "progress.svg")
    plot_throughput(results, folder / "throughput.svg")
    draw_samples(study, folder / "samples.webp")
    for run in sorted(study.out.glob("*/ldm-*/config.yaml")):
        target = folder / "trainings" / run.parent.parent.name
        target.mkdir(parents=True, exist_ok=True)
        for name, suffix in _RECORDS.items():
            if (source := run.with_name(name)).exists():
                shutil.copyfile(source, target / f"{run.parent.name}{suffix}")


if __name__ == "__main__":
    main()
