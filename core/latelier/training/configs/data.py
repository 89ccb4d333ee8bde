"""The configuration of training data."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from latelier.contracts.frozen import Frozen

Side = Annotated[int, Field(ge=1, le=16_384)]

Filter = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
"""Pillow's filters that resize pictures."""


class CaptionConfig(Frozen):
    """How the prompt of a sample is made of its captions.

    One caption is drawn by its weight, then a template. Random numbers depend on the seed of the
    data and the position in the training.
    """

    templates: tuple[str, ...] = Field(
        default=("{caption}",),
        min_length=1,
        description="texts around the caption, drawn with equal probability; {caption} stands for "
        "the caption, {class} for the name of the class",
    )
    shuffle_tags: bool = Field(
        default=False, description="shuffle the tags of a caption: its parts between separators"
    )
    separator: str = Field(default=",", min_length=1, description="text between two tags")
    keep_tags: int = Field(
        default=0, ge=0, description="tags at the beginning that keep their place and never drop"
    )
    drop_tags: float = Field(default=0.0, ge=0, lt=1, description="probability to drop a tag")

    @model_validator(mode="after")
    def _check_templates(self) -> Self:
        for template in self.templates:
            if set(re.findall(r"{([^{}]*)}", template)) - {"caption", "class"}:
                raise ValueError(
                    "templates: expected {caption} and {class} as the only fields in braces, "
                    f"got {template!r}"
                )
        return self


class HeldOutConfig(Frozen):
    """The samples that training never sees: for validation, and for sample sheets."""

    share: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="share of the samples of each source; at least 8 samples, or a quarter of "
        "fewer than 32",
    )
    seed: int = Field(
        default=1_000_003,
        ge=0,
        lt=2**63,
        description="seed of the choice, and of the held-out built-in scenes",
    )
    path: Path | None = Field(
        default=None, description="data set to hold out; training then uses all of its sources"
    )
    root: Path | None = Field(default=None, description="root of its manifest, as that of a source")

    @model_validator(mode="after")
    def _check_root(self) -> Self:
        if self.root is not None and self.path is None:
            raise ValueError("root is for a path of held_out")
        return self


class BucketConfig(Frozen):
    """Sizes of several aspect ratios and about one area; the samples of a batch have one size."""

    step: int = Field(default=64, ge=1, description="sides are multiples of it, in pixels")
    max_ratio: float = Field(
        default=2.0, ge=1, le=16, description="largest ratio of the long side to the short one"
    )


class CacheConfig(Frozen):
    """Latents and outputs of frozen conditioners on disk, written by `latelier data cache`."""

    folder: Path = Field(description="folder of the cache")
    views: int = Field(
        default=1,
        ge=1,
        le=64,
        description="views that are stored for each picture, with crops, flips and masks of their "
        "own; training draws one of them",
    )
    dtype: Literal["float16", "float32"] = Field(
        default="float16", description="type of the stored numbers"
    )
    conditioners: tuple[str, ...] = Field(
        default=(),
        description="conditioners that are frozen or have no weights, whose outputs are stored "
        "too: of each text, or of each view if they read pictures, maps or layouts; no changes of "
        "tags",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_folder(cls, value: Any) -> Any:
        return {"folder": value} if isinstance(value, str | Path) else value


class SourceFields(Frozen):
    """Where samples come from: files, a URL, or the built-in scenes."""

    path: Path | None = Field(
        default=None,
        description="folder of pictures, manifest, COCO annotations, tar shards, or a data set of "
        "Hugging Face on disk",
    )
    url: str | None = Field(
        default=None,
        pattern="^https?://",
        description="tar shards that are streamed, such as https://host/train-{000..009}.tar; a "
        "resumed run then goes on with other samples",
    )
    root: Path | None = Field(
        default=None,
        description="folder that the paths of a manifest are relative to, links in it included; "
        "null: that of its header, which must be in the manifest's own folder",
    )
    dataset: Literal["emoji_scenes"] | None = Field(
        default=None, description="the built-in scenes; the default where there is no path or url"
    )
    config: dict[str, Any] = Field(
        default_factory=dict, description="fields of the scenes' configuration"
    )
    length: int | None = Field(
        default=None, ge=2, description="number of scenes; null: a new one at each position"
    )

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        given = [name for name in ("path", "url", "dataset") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"expected a path, a url or a dataset, got {' and '.join(given)}")
        if self.dataset is None and given and (self.config or self.length):
            raise ValueError(f"config and length are for the built-in scenes, not for a {given[0]}")
        if self.path is None and self.root is not None:
            raise ValueError("root is for a path")
        return self


class Source(SourceFields):
    """One of several sources."""

    weight: float | None = Field(
        default=None,
        gt=0,
        le=1e9,
        description="relative frequency of its samples; null for all: their number, so that each "
        "sample is equally frequent",
    )


class DataConfig(SourceFields):
    """The samples of a training. A list is short for `sources`.

    Sample p of the run is a function of this configuration and the position p alone.
    """

    sources: tuple[Source, ...] = Field(default=(), description="several sources, mixed")
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**63,
        description="seed of the order, crops, flips and captions, and of the built-in scenes",
    )
    size: Side | tuple[Side, Side] | None = Field(
        default=None,
        description="side, or width and height, of the pictures in pixels; null: 256, or for the "
        "built-in scenes alone that of their own configuration",
    )
    resize: Filter = Field(default="lanczos", description="filter that resizes pictures")
    crop: Literal["center", "random"] = Field(
        default="center", description="where a picture of another aspect ratio is cropped"
    )
    crop_scale: tuple[float, float] = Field(
        default=(1.0, 1.0),
        description="range of a random crop's side, in units of the largest that fits",
    )
    flip: bool = Field(
        default=False,
        description="mirror half of the pictures, with their boxes, maps and masks; captions stay "
        "as they are, also where they say left or right",
    )
    buckets: BucketConfig | None = Field(
        default=None, description="several aspect ratios; null: all pictures have the one size"
    )
    captions: CaptionConfig = CaptionConfig()
    held_out: HeldOutConfig = HeldOutConfig()
    cache: CacheConfig | None = Field(default=None, description="cached latents to train on")

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        return {"sources": value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _check_sources(self) -> Self:
        one = (self.path, self.url, self.dataset, self.config, self.length)
        if self.sources and any(one):
            raise ValueError("expected either sources, or one path, url or dataset, got both")
        weighted = [source for source in self.sources if source.weight is not None]
        if weighted and len(weighted) < len(self.sources):
            raise ValueError("sources: expected a weight for each of them, or for none")
        return self

    @model_validator(mode="after")
    def _check_streams(self) -> Self:
        if not self.is_streamed:
            return self
        if self.buckets is not None or self.cache is not None:
            raise ValueError(
                "url: buckets and a cache need samples that are known before the training; leave "
                "them out, or download the shards and name their folder as path"
            )
        if len(self.sources) > 1 and self.sources[0].weight is None:
            raise ValueError("sources: a url has no number of samples; set a weight for each")
        return self

    @model_validator(mode="after")
    def _check_crop(self) -> Self:
        low, high = self.crop_scale
        if not 0 < low <= high <= 1:
            raise ValueError(f"crop_scale: expected 0 < low <= high <= 1, got {low} and {high}")
        if self.crop == "center" and self.crop_scale != (1.0, 1.0):
            raise ValueError("crop_scale is for 'crop: random'")
        return self

    @property
    def is_streamed(self) -> bool:
        """Whether a source is a URL."""
        return any(source.url is not None for source in self.all_sources)

    @property
    def all_sources(self) -> tuple[Source, ...]:
        """The sources: those of the list, or the one."""
        if self.sources:
            return self.sources
        fields = {name: getattr(self, name) for name in SourceFields.model_fields}
        return (Source(**fields),)
