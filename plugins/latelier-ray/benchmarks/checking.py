"""What a batch has drawn, and the processes that draw it."""

import io
import subprocess
import tarfile
from pathlib import Path

import psutil
import pyarrow.parquet as pq
from latelier.provenance.pixels import pixel_hash
from PIL import Image


def list_workers(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the actors of a command that draw."""
    try:
        found = psutil.Process(driver.pid).children(recursive=True)
        return [each for each in found if "ray::LatelierWorker" in " ".join(each.cmdline())]
    except psutil.NoSuchProcess:
        return []


def read_shards(folder: Path) -> list[tuple[str, bytes]]:
    """Return id and PNG of every picture of a batch, also of those that are there twice."""
    found = []
    for path in sorted((folder / "shards").glob("[0-9]*")):
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            found += zip(table["id"].to_pylist(), table["png"].to_pylist(), strict=True)
            continue
        with tarfile.open(path) as tar:
            found += [
                (member.name.removesuffix(".png"), tar.extractfile(member).read())
                for member in tar
                if member.name.endswith(".png")
            ]
    return found


def hash_pixels(pictures: list[tuple[str, bytes]]) -> dict[str, str]:
    """Return the hash of the pixels of each picture."""
    return {name: pixel_hash(Image.open(io.BytesIO(data))) for name, data in pictures}
