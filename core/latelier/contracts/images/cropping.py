"""Which part of an image of another aspect is used."""


def fit_aspect(image: tuple[int, int], aspect: tuple[int, int]) -> tuple[int, int]:
    """Return the largest size of an aspect that fits into an image, at least 1 x 1.

    Args:
        image: sides of the image, in pixels.
        aspect: a size of the aspect, its sides in the same order.
    """
    zoom = min(own / side for own, side in zip(image, aspect, strict=True))
    first, second = (max(1, round(side * zoom)) for side in aspect)
    return first, second
