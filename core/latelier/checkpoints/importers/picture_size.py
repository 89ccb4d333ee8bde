"""The conditioner of the numbers with which Stable Diffusion XL says how a picture was cut."""

from latelier.contracts.importing import ImportedPart

PICTURE_SIZE = "picture_size"
"""Name of the conditioner in a model."""

_NUMBERS = {
    6: ("original_size", "crop", "target_size"),
    5: ("original_size", "crop", "aesthetic_score"),
}
"""Count of numbers -> what they are; the refiner has five."""


def picture_size_part(count: int, width: int) -> ImportedPart:
    """Return the conditioner of `count` numbers, each embedded in `width` channels."""
    return ImportedPart("latelier/picture_size", {"numbers": _NUMBERS[count], "width": width})
