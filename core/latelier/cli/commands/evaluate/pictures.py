"""`latelier evaluate pictures`: measure pictures that were made elsewhere."""

from pathlib import Path
from typing import Annotated, Any

import typer

from latelier.cli.commands.evaluate.options import (
    BatchSize,
    Device,
    Network,
    Processes,
    Size,
    Weights,
    choose_network,
    make_resources,
    show_results,
)


def pictures(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The pictures.")],
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Pictures with whose features theirs are compared: a folder, or a file of "
            "`latelier evaluate reference`.",
        ),
    ] = None,
    originals: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="The picture that each should equal, by the names of files."
        ),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A measure; several times for several. By default those that need a reference or "
            "originals and no weights.",
        ),
    ] = None,
    network: Network = None,
    weights: Weights = None,
    size: Size = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the run.")] = Path(
        "evaluation"
    ),
    batch_size: BatchSize = 25,
    device: Device = "auto",
    processes: Processes = 1,
) -> None:
    """Measure pictures that were made elsewhere."""
    from latelier.contracts.frozen import validate
    from latelier.evaluation.protocol.config import EvaluationConfig
    from latelier.evaluation.run.run import run_evaluation

    values = {
        "out": out,
        "task": {"kind": "pictures", "path": folder},
        "data": {"path": originals, "size": size},
        "reference": _choose_reference(reference),
        "measures": measure or _choose_measures(reference, originals),
        "batch_size": batch_size,
        "device": device,
        **choose_network(network, weights),
    }
    config = validate(EvaluationConfig, values, "evaluate pictures")
    results = run_evaluation(config, make_resources(processes))
    assert results is not None
    show_results(results, out)


def _choose_reference(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    return {"path": path} if path.suffix == ".safetensors" else {"data": {"path": path}}


def _choose_measures(reference: Path | None, originals: Path | None) -> list[str]:
    from latelier.contracts.errors import InvalidInputError

    of_reference = ["frechet_distance", "kernel_distance", "precision_recall", "density_coverage"]
    measures = [*(of_reference if reference else []), *(["psnr", "ssim"] if originals else [])]
    if not measures:
        raise InvalidInputError(
            "expected pictures to compare with: --reference, --originals or both; or a --measure "
            "that needs none"
        )
    return measures
