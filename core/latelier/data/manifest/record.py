"""One line of a manifest: where a picture is, and what is known about it."""

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from latelier.contracts.frozen import Frozen
from latelier.contracts.inputs import Box

RESERVED_FIELDS = frozenset({
    "image", "moments", "latents", "index", "prompt", "class_label", "layout", "semantic_map",
    "mask", "weight", "features",
})  # fmt: skip
"""Fields of a training sample that have a meaning, so that `fields` cannot take their names."""


MAX_LABEL = 0xFFFF
"""Largest label of a semantic map, whose pixels have 16 bits."""


_PLAIN = re.compile(r"\w[\w/. -]*")
"""A relative path, on Windows too, if it has no '..'."""


def check_relative(text: str) -> str:
    """Return a path with forward slashes that stays below the folder it is relative to.

    Links may still lead out of it: `root` checks those of manifests.

    Raises:
        ValueError: the path is empty or absolute, or leads out of its folder.
    """
    if _PLAIN.fullmatch(text) and ".." not in text:  # fast: a data set has many paths
        return text
    path, windows = PurePosixPath(text), PureWindowsPath(text)
    outside = path.is_absolute() or windows.drive or windows.root or ".." in windows.parts
    if outside or "\0" in text or not path.parts:
        raise ValueError("expected a path below the root of the manifest, without '..'")
    return text


RelativePath = Annotated[str, AfterValidator(check_relative)]


class FileRange(Frozen):
    """A whole file, or some bytes of a shard: a file that holds many.

    Given as text, it is the path of a file.
    """

    file: RelativePath | None = Field(default=None, description="path of a file of its own")
    shard: RelativePath | None = Field(default=None, description="path of a file with many")
    offset: int = Field(default=0, ge=0, description="first byte in the shard")
    length: int = Field(default=0, ge=0, description="number of bytes in the shard")

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        return {"file": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if (self.file is None) == (self.shard is None):
            raise ValueError("expected either file, or shard with offset and length")
        if self.shard is not None and self.length == 0:
            raise ValueError("shard: expected a length of 1 byte or more")
        return self

    @property
    def path(self) -> str:
        """Path of the file or of the shard."""
        return self.file or self.shard or ""

    @property
    def name(self) -> str:
        """How messages and reports name it."""
        return self.file or f"{self.shard}@{self.offset}"


class MapFile(FileRange):
    """A picture of labels.

    Attributes:
        segments: Label of each segment id, for a panoptic map in the format of COCO: a pixel's
            segment id is R + 256 G + 65536 B, and ids that are not listed have label 0.
            Labels are at most 65535.
    """

    segments: dict[int, Annotated[int, Field(ge=0, le=MAX_LABEL)]] | None = None


class Caption(Frozen):
    """A text about the picture. Given as text, its weight is 1."""

    text: str
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False, description="relative frequency")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value


class LabelledBox(Frozen):
    """One object: its box in 0..1 of the upright picture, and the number of its class."""

    box: Box
    label: int = Field(ge=0)


class Record(FileRange):
    """One picture and its annotations. Only the file is required."""

    id: str | None = Field(default=None, description="name in reports; the file by default")
    width: int | None = Field(default=None, ge=1, description="pixels of the upright picture")
    height: int | None = Field(default=None, ge=1, description="pixels of the upright picture")
    captions: tuple[Caption, ...] = Field(default=(), description="texts, one of which is drawn")
    class_label: int | None = Field(default=None, ge=0, description="number of the class, from 0")
    boxes: tuple[LabelledBox, ...] | None = Field(
        default=None, description="objects; an empty list says that there are none"
    )
    semantic_map: MapFile | None = Field(default=None, description="label of each pixel")
    mask: FileRange | None = Field(default=None, description="white where the picture is repainted")
    weight: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="weight of its loss in training"
    )
    fields: dict[str, JsonValue] = Field(
        default_factory=dict, description="inputs of other conditioners, by name"
    )

    @property
    def name(self) -> str:
        return self.id or super().name

    @model_validator(mode="after")
    def _check_captions(self) -> Self:
        if self.captions and not any(caption.weight for caption in self.captions):
            raise ValueError("captions: expected a weight above 0")
        return self

    @model_validator(mode="after")
    def _check_fields(self) -> Self:
        taken = sorted(RESERVED_FIELDS & self.fields.keys())
        if taken:
            raise ValueError(f"fields: '{taken[0]}' is a field of the record or sample itself")
        return self


class Header(Frozen):
    """The first line of a manifest, which may be left out.

    Attributes:
        latelier_manifest: Version of the format.
        root: Folder that paths are relative to: absolute, or relative to the manifest's folder.
            It counts only within that folder; see `ManifestRoot`.
        class_names: Names of the classes of `class_label`, in order.
        box_names: Names of the labels of boxes, in order.
        map_names: Names of the labels of semantic maps, in order.
    """

    latelier_manifest: int = Field(default=1, ge=1, le=1)
    root: str = "."
    class_names: tuple[str, ...] = ()
    box_names: tuple[str, ...] = ()
    map_names: tuple[str, ...] = ()
