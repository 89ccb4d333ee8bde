"""The configuration of scenes."""

import functools
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from latelier.data.emoji_scenes.backgrounds import BackgroundKind
from latelier.data.emoji_scenes.glyphs import VocabularyName, vocabulary


def _check_ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"expected an ascending range such as {bounds[::-1]}, not {bounds}")
    return bounds


def _check_not_empty(kinds: tuple[BackgroundKind, ...]) -> tuple[BackgroundKind, ...]:
    if not kinds:
        raise ValueError('expected at least one kind, such as ("plain",)')
    return kinds


ScenePart = Literal["all", "train", "held_out"]
"""The objects of a vocabulary that scenes are made of."""

HELD_OUT_EVERY = 16
"""Every so many objects of a vocabulary, one is held out, the first among them."""

Count = Annotated[int, Field(ge=1, le=4)]
Share = Annotated[float, Field(ge=0.2, le=1.0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=-180, le=180)]


class SceneConfig(BaseModel):
    """Appearance of scenes. The defaults suit a first model: one object, 64 pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(default=64, ge=16, le=1024, description="side of the square image in pixels")
    vocabulary: VocabularyName = Field(
        default="basic", description='"basic" (512 distinct objects) or "all" (the whole atlas)'
    )
    glyphs: tuple[str, ...] = Field(
        default=(),
        description="names of the only objects to draw, which keep their classes; none: all",
    )
    part: ScenePart = Field(
        default="all",
        description='"train" leaves out every 16th object of the vocabulary, "held_out" draws '
        "those alone; classes stay the same",
    )
    objects: Annotated[tuple[Count, Count], AfterValidator(_check_ascending)] = Field(
        default=(1, 1), description="least and greatest number of objects, each 1..4"
    )
    backgrounds: Annotated[tuple[BackgroundKind, ...], AfterValidator(_check_not_empty)] = Field(
        default=("plain", "plain", "gradient", "stripes", "dots", "checks", "place", "place"),
        description="kinds of background; one that is listed twice is drawn twice as often",
    )
    scale: Annotated[tuple[Share, Share], AfterValidator(_check_ascending)] = Field(
        default=(0.6, 0.85),
        description="longest side of a lone object as a fraction of the image; several share it",
    )
    rotation: Annotated[tuple[Degrees, Degrees], AfterValidator(_check_ascending)] = Field(
        default=(-12.0, 12.0), description="range of turns in degrees, counter-clockwise"
    )
    mirror: bool = Field(default=False, description="whether half of the objects are mirrored")
    spread: Probability = Field(
        default=0.0,
        description="share of the scenes whose objects are anywhere in the image; in the others "
        "they are near its centre, or in one of a few arrangements",
    )
    restyled: Probability = Field(
        default=0.0,
        description="share of the objects of the atlas in another style: colours, filters, "
        "proportions or mirrored artwork",
    )
    drawn: Probability = Field(
        default=0.0,
        description="share of the objects that are shapes, letters and digits, drawn at random; "
        "their class is the number after the last class of the vocabulary",
    )
    repeated: Probability = Field(
        default=0.0,
        description="share of the scenes of several objects that show one artwork several times; "
        "needs slots",
    )
    empty: Probability = Field(
        default=0.0,
        description="share of the scenes that show a background alone; needs slots, since such a "
        "scene has no class",
    )
    slots: bool = Field(
        default=False,
        description='whether captions write objects as "#1", "#2" ... and labels of the layout are '
        "these numbers, from 0; the pictures of the objects are the field references of a sample, "
        "and for collages all are inside the image, the smaller ones in front",
    )
    shadow: bool = Field(default=True, description="whether objects cast a soft shadow")
    captioned_background: Probability = Field(
        default=0.85, description="share of the captions that say what the background is"
    )
    detailed_captions: Probability = Field(
        default=0.0,
        description="share of the captions that say the background and all that varies: position, "
        "size, turn, mirroring and relations of the objects, as far as they are plain to see",
    )

    @model_validator(mode="after")
    def _check_slots(self) -> Self:
        if self.repeated and not self.slots:
            raise ValueError("repeated: captions name each object once; set slots: true")
        if self.empty and not self.slots:
            raise ValueError("empty: a scene without objects has no class; set slots: true")
        return self

    @property
    def class_ids(self) -> Sequence[int]:
        """The classes of the objects to draw: positions in the vocabulary."""
        return _class_ids(self.vocabulary, self.glyphs, self.part)

    @property
    def classes(self) -> int:
        """The number of classes that labels may have."""
        return max(self.class_ids) + 1 if not self.drawn else len(vocabulary(self.vocabulary)) + 1

    @model_validator(mode="after")
    def _check_glyphs(self) -> Self:
        names = [glyph.name for glyph in vocabulary(self.vocabulary)] if self.glyphs else []
        for name in self.glyphs:
            if name not in names:
                close = ", ".join(get_close_matches(name, names, cutoff=0.4))
                raise ValueError(f"glyphs: '{name}' is not in the vocabulary. Close: {close}")
        if self.glyphs and self.part != "all":
            raise ValueError(f'glyphs: names the objects already; leave out part "{self.part}"')
        if len(set(self.glyphs)) < len(self.glyphs):
            raise ValueError("glyphs: expected each name once")
        if 0 < len(self.glyphs) < self.objects[1]:
            raise ValueError(
                f"glyphs: a scene has up to {self.objects[1]} different objects, "
                f"but there are {len(self.glyphs)} names"
            )
        return self


@functools.cache
def _class_ids(name: VocabularyName, glyphs: tuple[str, ...], part: ScenePart) -> Sequence[int]:
    names = [glyph.name for glyph in vocabulary(name)]
    if glyphs:
        return tuple(names.index(each) for each in glyphs)
    if part == "held_out":
        return range(0, len(names), HELD_OUT_EVERY)
    if part == "train":
        return tuple(number for number in range(len(names)) if number % HELD_OUT_EVERY)
    return range(len(names))
