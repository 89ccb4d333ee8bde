"""Sides in pixels that a model can take."""

from collections.abc import Mapping

from latelier.kernel.errors import InvalidInputError


def check_sides(what: str, sides: Mapping[str, int], multiple: int, hint: str = "") -> None:
    """Refuse sides that are not multiples of `multiple`, or below it.

    Args:
        what: what has these sides, as the person knows it.
        sides: name -> pixels.
        multiple: of the model.
        hint: what the error ends with.

    Raises:
        InvalidInputError: names the side and the nearest that is allowed.
    """
    for name, side in sides.items():
        if side < multiple or side % multiple:
            nearest = max(multiple, round(side / multiple) * multiple)
            raise InvalidInputError(
                f"{what}: the {name} {side} is not a multiple of {multiple}, as this model needs; "
                f"the nearest is {nearest}{hint}"
            )
