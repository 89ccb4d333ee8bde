"""Recognition of the form of a data set."""

from pathlib import Path

from latelier.contracts.errors import DataError
from latelier.data.converters.arrow import SPLITS_FILE, STATE_FILE, convert_arrow
from latelier.data.converters.coco import convert_coco
from latelier.data.converters.folder import convert_folder, has_pictures
from latelier.data.converters.metadata import METADATA_FILES
from latelier.data.converters.shards import convert_shards, expand_shards
from latelier.data.manifest.manifest import Manifest, read_manifest
from latelier.data.manifest.parquet import read_parquet

MANIFEST_FILES = ("manifest.jsonl", "manifest.parquet")
"""Files that stand for the folder they are in."""


def open_manifest(path: Path, root: Path | None = None) -> Manifest:
    """Return the manifest of a data set of any form.

    A path is a folder of pictures, one with a manifest, tar shards or a data set of Hugging Face;
    or a manifest, COCO annotations, a tar shard, or a pattern of shards such as
    'train-{0000..0063}.tar'.

    Args:
        path: of the data set.
        root: folder that the paths of a manifest are relative to; see `read_manifest`.

    Raises:
        DataError: it does not exist, has an unknown form, or is empty or damaged; or it is no
            manifest and has a root.
    """
    for name in MANIFEST_FILES:
        if (path / name).is_file():
            return _open_file(path / name, root)
    return convert_data(path, root)


def convert_data(path: Path, root: Path | None = None) -> Manifest:
    """Return the manifest of a data set like `open_manifest`, but pass over one in its folder.

    Raises:
        DataError: see `open_manifest`.
    """
    if "://" in str(path) or ":/" in str(path):
        raise DataError(
            f"{path}: expected a data set on the disk; download its shards and give their folder, "
            "or name it as 'url' in the data of a training, which then streams"
        )
    if path.is_file():
        return _open_file(path, root)
    if path.is_dir():
        _refuse_root(path, root)
        return _convert_folder(path)
    if ".tar" in path.suffixes and "{" in path.name:
        _refuse_root(path, root)
        return convert_shards(str(path), [Path(each) for each in expand_shards(str(path))])
    raise DataError(f"{path}: not found; expected a data set: a folder, or a manifest")


def _convert_folder(folder: Path) -> Manifest:
    if (folder / STATE_FILE).is_file() or (folder / SPLITS_FILE).is_file():
        return convert_arrow(folder)
    shards = sorted(folder.glob("*.tar"))
    if shards and not has_pictures(folder):
        return convert_shards(str(folder), shards)
    return convert_folder(folder)


def _open_file(path: Path, root: Path | None) -> Manifest:
    if path.suffix == ".jsonl" and path.name not in METADATA_FILES:
        return read_manifest(path, root)
    if path.suffix == ".parquet":
        return read_parquet(path, root)
    _refuse_root(path, root)
    if path.name in METADATA_FILES:
        return convert_folder(path.parent)
    if path.suffix == ".json":
        return convert_coco(path)
    if path.suffix == ".tar":
        return convert_shards(str(path), [path])
    raise DataError(
        f"{path}: expected a folder, a manifest (.jsonl, .parquet), annotations of COCO (.json) or "
        "a shard (.tar)"
    )


def _refuse_root(path: Path, root: Path | None) -> None:
    if root is not None:
        raise DataError(f"{path}: root is for a manifest, and this is none; leave root out")
