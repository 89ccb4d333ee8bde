"""Folders of pictures, with captions in text files beside them, or classes as folders.

`cat.png` has its captions in `cat.txt`: each line that is not empty is one caption. Where every
picture lies in a folder of the first level, that folder's name is its class.
"""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from latelier.contracts.errors import DataError
from latelier.data.converters.metadata import METADATA_FILES, add_metadata
from latelier.data.manifest.manifest import Manifest, ManifestBuilder
from latelier.data.manifest.record import Caption, Header, Record

PICTURE_SUFFIXES = frozenset({
    ".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp",
})  # fmt: skip
"""Suffixes of the files that are read as pictures."""

_OTHER_PICTURES = frozenset({
    ".arw", ".cr2", ".dng", ".heic", ".heif", ".jxl", ".nef", ".psd", ".svg",
})  # fmt: skip
"""Suffixes of pictures in formats that are not read."""


def convert_folder(folder: Path) -> Manifest:
    """Return the manifest of all pictures below a folder, in the order of their names.

    Hidden files and folders are left out.

    Raises:
        DataError: there is no picture, or a text or metadata file cannot be read.
    """
    files = list_files(folder)
    pictures = [name for name in files if _suffix(name) in PICTURE_SUFFIXES]
    metadata = [name for name in files if PurePosixPath(name).name in METADATA_FILES]
    builder = ManifestBuilder(str(folder), folder)
    if metadata:
        header = add_metadata(builder, folder, metadata, pictures)
    else:
        header = _add_pictures(builder, folder, pictures)
    for name in files:
        if _suffix(name) in _OTHER_PICTURES:
            builder.skip(name, f"pictures in the format {_suffix(name)} are not read")
    return builder.build(header)


def has_pictures(folder: Path) -> bool:
    """Return whether a picture lies in a folder itself."""
    return any(_suffix(path.name) in PICTURE_SUFFIXES for path in folder.iterdir())


def list_files(folder: Path) -> list[str]:
    """Return the paths of all files below a folder, with forward slashes, in order.

    Links are followed, but not to a folder that they are in.

    Raises:
        DataError: the folder cannot be read.
    """

    def fail(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}")

    found = []
    for parent, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        folders[:] = [
            each
            for each in folders
            if not each.startswith((".", "__MACOSX")) and not _leads_back(folder, parent, each)
        ]
        relative = Path(parent).relative_to(folder)
        found += [(relative / name).as_posix() for name in names if not name.startswith(".")]
    return sorted(found)


def _leads_back(folder: Path, parent: str, name: str) -> bool:
    """Return whether a folder is a link to one that it is in, which would be walked for ever."""
    path = Path(parent, name)
    if not path.is_symlink():
        return False
    target = os.path.realpath(path)
    above = [each for each in path.parents if each.is_relative_to(folder)]
    return any(Path(os.path.realpath(each)).is_relative_to(target) for each in above)


def _add_pictures(builder: ManifestBuilder, folder: Path, pictures: Sequence[str]) -> Header:
    classes = _class_names(pictures)
    numbers = {name: number for number, name in enumerate(classes)}
    for name in pictures:
        builder.add(
            Record(
                file=name,
                captions=_read_captions(folder / PurePosixPath(name).with_suffix(".txt")),
                class_label=numbers.get(PurePosixPath(name).parts[0]) if classes else None,
            )
        )
    return Header(class_names=classes)


def _class_names(pictures: Sequence[str]) -> tuple[str, ...]:
    """Return the folders of the first level, or nothing where a picture lies above them."""
    if any("/" not in name for name in pictures):
        return ()
    names = {PurePosixPath(name).parts[0] for name in pictures}
    return tuple(sorted(names)) if len(names) > 1 else ()


def _read_captions(path: Path) -> tuple[Caption, ...]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path}: expected captions as UTF-8 text ({error})") from None
    return tuple(Caption(text=line.strip()) for line in text.split("\n") if line.strip())


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
