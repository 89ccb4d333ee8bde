"""`latelier models cache`: the files that latelier keeps for later, and their removal."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.cli.support.model_info import format_bytes
from latelier.cli.support.output import AsJson, show_columns, show_json, show_line


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove these files.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the files in the cache: hashes, copies of pickles, and compiled code.

    A copy of a pickle is removed at the end of its import; one that stays is of an import that was
    killed. Models from the hub are in the cache of huggingface_hub (`hf cache ls`).
    """
    from latelier.checkpoints.io import verification
    from latelier.checkpoints.pickles import copies
    from latelier.io.user_folders import COMPILED, cache_folder

    folders = [cache_folder(name) for name in (copies.CACHE, verification.CACHE, COMPILED)]
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    sizes = {str(path): path.stat().st_size for path in files}
    if clear:
        for folder in folders:
            _empty(folder)
    if as_json:
        rows = [{"path": path, "bytes": size} for path, size in sizes.items()]
        show_json({"files": rows, "removed": clear})
        return
    show_columns(("FILE", "SIZE"), [(path, format_bytes(size)) for path, size in sizes.items()])
    total = format_bytes(sum(sizes.values()))
    show_line(f"{len(sizes)} files, {total}{', removed' if clear else ''}")


def _empty(folder: Path) -> None:
    import shutil

    from latelier.contracts.errors import LatelierError

    for path in folder.iterdir():
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            raise LatelierError(f"{path}: cannot be removed: {error.strerror}") from None
