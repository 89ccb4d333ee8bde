"""The results of a look-up."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image
from pydantic import BaseModel

from latelier.contracts.images.reading import to_data_uri


@dataclass(frozen=True, eq=False)
class DrawnReference:
    """A reference picture of a run.

    Attributes:
        name: of its entry in the database; None for a picture of the request.
        picture: RGBA.
    """

    name: str | None
    picture: Image

    def to_json(self) -> dict[str, Any]:
        """Return the name, and a hash by which a replay recognizes the picture."""
        head = f"{self.picture.mode}:{self.picture.width}x{self.picture.height}:".encode()
        digest = hashlib.sha256(head + self.picture.tobytes()).hexdigest()
        return {"name": self.name, "sha256": digest}


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
    """

    rows: dict[str, list[BaseModel | None]]
    drawn: tuple[tuple[DrawnReference, ...], ...] = ()
    public: str | None = None
    warnings: tuple[str, ...] = ()
    known: dict[str, list[BaseModel | None]] = field(default_factory=dict)

    @property
    def unchecked(self) -> dict[str, list[BaseModel | None]]:
        """The rows that conditioners have to check: `warnings` tell the rest."""
        return {**self.rows, **self.known}

    def to_json(self) -> dict[str, list[Any]]:
        """Return the references as a public input that a later look-up reads again.

        Entries are named, which takes less room than their pictures.
        """
        if self.public is None or not any(self.drawn):
            return {}
        rows = [
            [each.name or to_data_uri(each.picture) for each in references] or None
            for references in self.drawn
        ]
        return {self.public: rows}
