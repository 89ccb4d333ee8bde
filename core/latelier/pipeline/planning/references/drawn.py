"""The results of a look-up."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from PIL.Image import Image
from pydantic import BaseModel

from latelier.contracts.images.reading import to_data_uri
from latelier.contracts.inputs import Box

POSES = {"boxes": "box", "turns": "turn", "mirrored": "mirrored"}
"""Field of an input of placed pictures -> what it is of one of them."""


@dataclass(frozen=True, eq=False)
class DrawnReference:
    """A reference picture of a run.

    Attributes:
        name: of its entry in the database; None for a picture of the request.
        picture: RGBA.
        box: its place, for a model that is shown it there.
        turn: degrees by which it is turned there, counter-clockwise.
        mirrored: whether it is mirrored there.
    """

    name: str | None
    picture: Image
    box: Box | None = None
    turn: float | None = None
    mirrored: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the name, a hash by which a replay recognizes the picture, and its pose."""
        head = f"{self.picture.mode}:{self.picture.width}x{self.picture.height}:".encode()
        digest = hashlib.sha256(head + self.picture.tobytes()).hexdigest()
        return {"name": self.name, "sha256": digest, **self.pose}

    @property
    def pose(self) -> dict[str, Any]:
        """What is known of box, turn and mirroring, as JSON values."""
        box = None if self.box is None else list(self.box.model_dump().values())
        pose = {"box": box, "turn": self.turn, "mirrored": self.mirrored}
        return {name: value for name, value in pose.items() if value is not None}


@dataclass(frozen=True, eq=False)
class Lookup:
    """Inputs in which pictures and slots stand for all that they named.

    Attributes:
        rows: conditioner -> its input for each row.
        drawn: the references of each row, in the order of their slots; empty for a model without
            references.
        public: the public input of references; None for a model without.
        warnings: human-readable sentences, with the public input in front.
        known: the rows of texts without what `warnings` say of unknown words.
        placed: the references of each picture with their boxes, where the run has chosen those.
    """

    rows: dict[str, list[BaseModel | None]]
    drawn: tuple[tuple[DrawnReference, ...], ...] = ()
    public: str | None = None
    warnings: tuple[str, ...] = ()
    known: dict[str, list[BaseModel | None]] = field(default_factory=dict)
    placed: tuple[tuple[DrawnReference, ...], ...] = ()

    @property
    def unchecked(self) -> dict[str, list[BaseModel | None]]:
        """The rows that conditioners have to check: `warnings` tell the rest."""
        return {**self.rows, **self.known}

    def to_json(self) -> dict[str, list[Any]]:
        """Return the references as a public input that a later look-up reads again.

        Entries are named, which takes less room than their pictures. Boxes that the run has chosen
        are left out: its seed gives them again.
        """
        if self.public is None or not any(self.drawn):
            return {}
        return {self.public: [_to_input(references) for references in self.drawn]}


def add_poses(references: Sequence[DrawnReference], value: Any) -> tuple[DrawnReference, ...]:
    """Return references with the poses that an input of placed pictures has."""
    given = {one: getattr(value, all_, None) for all_, one in POSES.items()}
    return tuple(
        replace(each, **{name: values[k] for name, values in given.items() if values is not None})
        for k, each in enumerate(references)
    )


def _to_input(references: Sequence[DrawnReference]) -> Any:
    """Return the references of a row as a JSON value of the public input."""
    pictures = [each.name or to_data_uri(each.picture) for each in references]
    given = {
        all_: [each.pose[one] for each in references]
        for all_, one in POSES.items()
        if references and one in references[0].pose
    }
    return {"pictures": pictures, **given} if given else pictures or None
