"""`latelier batch`: draw a picture for each row of a table."""

from pathlib import Path
from typing import Annotated

import typer


def batch(
    table: Annotated[str, typer.Argument(metavar="INPUT")],
    out: Annotated[Path, typer.Argument(metavar="OUTPUT")],
    model: Annotated[str, typer.Option("--model", "-m", metavar="NAME")],
    cluster: Annotated[str, typer.Option(metavar="local|auto|HOST:PORT")] = "local",
    workers: Annotated[int | None, typer.Option(min=1, max=10_000, metavar="COUNT")] = None,
    adapter: Annotated[list[str] | None, typer.Option(metavar="NAME|FILE[:0.8]")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE")] = None,
    format_: Annotated[str, typer.Option("--format", metavar="webdataset|parquet")] = "webdataset",
    shard: Annotated[int, typer.Option(min=1, max=1_000_000, metavar="ROWS")] = 256,
    rows: Annotated[int, typer.Option(min=1, max=1024)] = 16,
    threads: Annotated[int, typer.Option(min=1, max=1024)] = 1,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda")] = "auto",
    dtype: Annotated[str, typer.Option(metavar="NAME")] = "float32",
    retry_errors: Annotated[bool, typer.Option("--retry-errors")] = False,
) -> None:
    """Draw a picture for each row of a table, on one machine or a cluster of Ray.

    INPUT is a .parquet, .jsonl or .csv file, a folder or a pattern of such. A row has an id, the
    inputs of the model and settings as columns. All rows are checked before anything is started.
    Interrupted or killed, the same command goes on.

    Example: latelier batch prompts.csv pictures --model emoji-scenes

    Args:
        table: a file of rows, a folder of such files, or a pattern such as 'rows/*.parquet'.
        out: folder of the pictures. All machines of a cluster share it.
        model: an embedded name, a folder, or owner/name on the hub.
        cluster: local starts an instance that ends with the command; auto is the cluster of this
            machine.
        workers: one for each GPU, or for each core, by default.
        adapter: an adapter to attach, as of `latelier generate`. Repeatable.
        changes: a setting of all rows, such as steps=20; a column of a row replaces it. Repeatable.
        format_: of the files of pictures.
        shard: pictures of a file, which are also what a kill loses at most for each worker, twice.
        rows: of each call of the denoiser, always filled. It changes the last bits of pictures.
        threads: CPU threads of each worker. It changes the last bits of pictures.
        device: of the workers.
        dtype: precision of the model: float32, bfloat16 ...
        retry_errors: draw files again whose rows failed.
    """
    from latelier.cli.options.values import json_or_text
    from latelier.cli.support.application import load_atelier
    from latelier.cli.support.output import show_line
    from latelier.cli.support.progress import track_counts
    from latelier.contracts.errors import InvalidInputError

    from latelier_ray.batch.drawing import DrawingSettings
    from latelier_ray.batch.run import SUFFIXES, Batch, Resources, run_batch

    if format_ not in SUFFIXES:
        raise InvalidInputError(f"--format: expected {' or '.join(SUFFIXES)}, got '{format_}'")
    settings = {}
    for change in changes or ():
        name, equals, value = change.partition("=")
        if not (name and equals):
            raise InvalidInputError(f"--set: expected FIELD=VALUE, got '{change}'")
        settings[name] = json_or_text(value, f"--set {name}")
    drawing = DrawingSettings(model, tuple(adapter or ()), device, dtype, threads, rows)
    outcome = run_batch(
        Batch(table, out.absolute(), drawing, settings, format_, shard),
        Resources(cluster, workers, track_counts, load_atelier()),
        retry_errors=retry_errors,
    )
    if outcome.failed:
        typer.echo(
            f"{outcome.failed:,} of {outcome.rows:,} rows have no picture; {out / 'errors'} says "
            "why, and --retry-errors draws them again",
            err=True,
        )
        raise typer.Exit(1)
    show_line(f"{outcome.rows:,} pictures in {out}")
