"""What a device takes for a call, read off a measured curve."""

from bisect import bisect_left
from collections.abc import Mapping
from importlib.resources import files
from typing import Self

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen
from latelier.engine.row_limit import RowLimit
from latelier.engine.warming import doublings
from pydantic import Field

from latelier_ray.simulation.workload import Shape

Curve = Mapping[int, float]
"""Rows or pictures -> seconds of a call."""

POSITIONS = 1000
"""Latent positions of a picture of the default size: only their ratios count."""


class Costs(Frozen):
    """Seconds of a device.

    Larger pictures count as so many more rows, as they do for the engine's limit of rows.
    """

    source: str = Field(description="where the figures come from")
    call: dict[int, float] = Field(description="rows -> seconds of a call of the denoiser")
    encode: dict[int, float] = Field(description="pictures -> seconds to encode their inputs")
    decode: dict[int, float] = Field(description="pictures -> seconds to decode their latents")
    begin: float = Field(description="seconds of Python before the first call of a request")
    between: float = Field(description="seconds of Python of a request after each call")
    pictures: int = Field(description="most pictures of the default size encoded together")

    @classmethod
    def of_device(cls, name: str) -> Self:
        """Return the costs of a device that was measured, such as "cpu".

        Raises:
            InvalidInputError: there is none of that name.
        """
        folder = files("latelier_ray.simulation") / "devices"
        known = sorted(each.name.removesuffix(".json") for each in folder.iterdir())
        if name not in known:
            raise InvalidInputError.of_field("device", f"expected one of {known}, got {name!r}")
        return cls.model_validate_json((folder / f"{name}.json").read_bytes())

    @property
    def best(self) -> float:
        """Seconds of a row in the best call."""
        return min(seconds / rows for rows, seconds in self.call.items())

    def limit_rows(self, most: int) -> RowLimit:
        """Return the limit that an engine with at most so many rows finds when it warms up."""
        limit = RowLimit(most, most * POSITIONS)
        limit.set_curve({rows: read(self.call, rows) / rows for rows in doublings(most)}, POSITIONS)
        return limit

    def seconds_alone(self, shape: Shape) -> float:
        """Return the seconds of a request that has a device for itself."""
        pictures, rows = shape.pictures * shape.size, shape.rows * shape.size
        works = [read(self.encode, pictures), read(self.decode, pictures)]
        works += [read(self.call, rows)] * shape.calls
        return self.begin + sum(works) + len(works) * self.between


def read(curve: Curve, count: float) -> float:
    """Return the seconds of a call with a number of rows.

    Between two that were measured it is on the line between them, and above the last it grows as
    the rows do. A call with less than the first takes as long as it.
    """
    counts = sorted(curve)
    if count <= counts[0]:
        return curve[counts[0]]
    if count >= counts[-1]:
        return curve[counts[-1]] * count / counts[-1]
    place = bisect_left(counts, count)
    low, high = counts[place - 1], counts[place]
    return curve[low] + (curve[high] - curve[low]) * (count - low) / (high - low)
