"""COCO annotations: boxes of instances, captions, and panoptic maps.

Files of one split that lie side by side, such as instances_train2017.json, captions_train2017.json
and panoptic_train2017.json, are read together. Labels of boxes count from 0 in the order of the
categories' ids; labels of maps count from 1, and 0 stands for pixels without a label.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from latelier.contracts.errors import DataError
from latelier.contracts.frozen import validate
from latelier.data.converters.boxes import convert_box
from latelier.data.manifest.manifest import Manifest, ManifestBuilder
from latelier.data.manifest.record import Header, Record

_KINDS = ("instances", "captions", "panoptic")


def convert_coco(path: Path, images: Path | None = None) -> Manifest:
    """Return the manifest of the pictures of a COCO file and of those of its split beside it.

    Crowds (`iscrowd`) have no box of their own and are left out.

    Args:
        path: of the annotations.
        images: folder of the pictures; None: it is looked for near the annotations.

    Raises:
        DataError: a file is not COCO's, or the pictures are not found.
    """
    try:
        return _convert(path, images)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: an entry lacks a field of COCO's format ({error!r})") from None


def _convert(path: Path, images: Path | None) -> Manifest:
    files = {each: _read_coco(each) for each in _files_of_split(path)}
    pictures = {image["id"]: image for file in files.values() for image in file["images"]}
    if not pictures:
        raise DataError(f"{path}: lists no images")
    folder = images or _find_images(path, next(iter(pictures.values())))
    root = Path(os.path.commonpath([folder.absolute(), path.absolute().parent]))
    builder = ManifestBuilder(str(path), root)
    annotations = [_Annotations(file, each, root, builder) for file, each in files.items()]
    prefix = Path(os.path.relpath(folder.absolute(), root))
    for number, image in pictures.items():
        values: dict[str, Any] = {
            "file": (prefix / image["file_name"]).as_posix(),
            "width": image.get("width"),
            "height": image.get("height"),
        }
        for each in annotations:
            values |= each.values(number, image)
        builder.add(validate(Record, values, f"{path}, image {number}", DataError))
    names: dict[str, tuple[str, ...]] = {}
    for each in annotations:
        names |= each.names
    return builder.build(Header.model_validate(names))


class _Annotations:
    """The annotations of one file by image."""

    def __init__(
        self, path: Path, content: Mapping[str, Any], root: Path, builder: ManifestBuilder
    ) -> None:
        self._path = path
        self._root = root
        self._builder = builder
        self._by_image: dict[Any, list[Any]] = defaultdict(list)
        for each in content["annotations"]:
            self._by_image[each.get("image_id")].append(each)
        categories = sorted(content.get("categories", ()), key=lambda each: each["id"])
        self._labels = {each["id"]: label for label, each in enumerate(categories)}
        first: Mapping[str, Any] = next(iter(content["annotations"]), {})
        self._is_panoptic = "segments_info" in first
        self._has_boxes = "bbox" in first and not self._is_panoptic
        self._has_captions = "caption" in first
        given = tuple(str(each["name"]) for each in categories)
        self.names: dict[str, tuple[str, ...]] = {}
        if self._is_panoptic:
            self.names["map_names"] = ("unlabelled", *given)
        elif self._has_boxes:
            self.names["box_names"] = given

    def values(self, number: Any, image: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of the record of an image."""
        annotations = self._by_image.get(number, [])
        if self._is_panoptic:
            return {"semantic_map": self._map(annotations[0])} if annotations else {}
        if self._has_boxes:
            return {"boxes": list(self._boxes(annotations, image))}
        if self._has_captions:
            return {"captions": [each["caption"].strip() for each in annotations]}
        return {}

    def _boxes(self, annotations: list[Any], image: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for each in annotations:
            where = f"{self._path}, annotation {each.get('id')}"
            if each.get("iscrowd"):
                continue
            if each.get("category_id") not in self._labels:
                raise DataError(f"{where}: category {each.get('category_id')} is not listed")
            try:
                box = convert_box(each["bbox"], (image["width"], image["height"]), where)
            except DataError as error:
                self._builder.skip(f"a box of {image['file_name']}", str(error))
                continue
            yield {"box": box, "label": self._labels[each["category_id"]]}

    def _map(self, annotation: Mapping[str, Any]) -> dict[str, Any]:
        file = self._path.absolute().with_suffix("") / annotation["file_name"]
        return {
            "file": Path(os.path.relpath(file, self._root)).as_posix(),
            "segments": {
                each["id"]: self._labels[each["category_id"]] + 1
                for each in annotation["segments_info"]
            },
        }


def _read_coco(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON ({error})") from None
    lists = ("images", "annotations")
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in lists):
        raise DataError(f"{path}: expected annotations of COCO, with 'images' and 'annotations'")
    return content


def _files_of_split(path: Path) -> list[Path]:
    kind, _, split = path.stem.partition("_")
    if kind not in _KINDS or not split:
        return [path]
    files = (path.with_name(f"{each}_{split}.json") for each in _KINDS)
    return [file for file in files if file.is_file()]


def _find_images(path: Path, image: Mapping[str, Any]) -> Path:
    """Return the folder in which the first picture is.

    Raises:
        DataError: it is in none of the usual places.
    """
    split = path.stem.partition("_")[2]
    parent = path.parent
    places = [parent, parent.parent]
    for name in ("images", split):
        places += [parent / name, parent.parent / name] if name else []
    if split:
        places += [parent / "images" / split, parent.parent / "images" / split]
    for place in places:
        if (place / image["file_name"]).is_file():
            return place
    raise DataError(
        f"{path}: the picture '{image['file_name']}' is in none of "
        f"{', '.join(dict.fromkeys(map(str, places)))}; give the folder of the pictures "
        "(latelier data index --images FOLDER)"
    )
