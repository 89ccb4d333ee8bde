"""Run the study, or go on with it after an interruption: the same command for both.

    python -m benchmarks.tradeoff [--out runs/tradeoff] [--share 0.002] [--dry-run]

Ctrl-C, SIGTERM and SIGKILL lose at most two minutes of a training, or a hundred pictures.
"""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.tradeoff.cost import HEAD, format_cost, measure_costs
from benchmarks.tradeoff.evaluations import configure_real, results_file
from benchmarks.tradeoff.phases import list_phases
from benchmarks.tradeoff.report import write_report
from benchmarks.tradeoff.study import Study, open_study
from benchmarks.tradeoff.training import InterruptedTrainingError
from latelier.io.file_lock import claim


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/tradeoff"))
    parser.add_argument(
        "--share", type=float, help="of all steps, scenes and pictures, as a rehearsal"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the hours of each part and write nothing"
    )
    arguments = parser.parse_args()
    study = Study(arguments.out)
    if arguments.share is not None:
        if not 0 < arguments.share <= 1:
            parser.error(f"--share: expected a number in 0..1, got {arguments.share:g}")
        study = study.rehearse(arguments.share)
    if arguments.dry_run:
        show_costs(study)
        return
    open_study(study)
    try:
        with claim(study.out):
            run(study)
    except (InterruptedTrainingError, KeyboardInterrupt):
        sys.exit(130)
    except BlockingIOError:
        sys.exit(f"{study.out}: another process runs the study there")


def show_costs(study: Study) -> None:
    """Print the cost of each part of the study, and the hours of all."""
    hours = 0.0
    print(HEAD)
    for cost in measure_costs(study):
        print(format_cost(cost), flush=True)
        hours += cost.hours
    print(f"hours of all: {hours:.2f}")


def run(study: Study) -> None:
    """Run the phases that are not over yet, and write the report of what is measured."""
    for phase in list_phases(study):
        if not phase.result.exists():
            print(f"{time.strftime('%H:%M:%S')} {phase.title}", flush=True)
            phase.run()
            if results_file(configure_real(study)).exists():  # from the second phase on
                write_report(study, study.out / "report")
    write_report(study, study.out / "report")
    print(f"{time.strftime('%H:%M:%S')} the report is in {study.out / 'report'}", flush=True)


if __name__ == "__main__":
    main()
