"""`latelier preprocess`: make a hint of a picture."""

from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import typer


def preprocess(
    name: Annotated[str, typer.Argument(metavar="canny|blur|line|tile")],
    picture: Annotated[Path, typer.Argument(metavar="PICTURE")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT")],
    low: Annotated[float | None, typer.Option(min=0, max=4)] = None,
    high: Annotated[float | None, typer.Option(min=0, max=4)] = None,
    sigma: Annotated[float | None, typer.Option(min=0.1, max=64, metavar="PIXELS")] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=1)] = None,
    factor: Annotated[int | None, typer.Option(min=1, max=64)] = None,
    force: Annotated[bool, typer.Option("--force")] = False,
) -> None:
    """Make a hint of a picture, for a ControlNet or T2I-Adapter, by a filter without weights.

    It prints the path of the hint.

    canny: edges, white on black. blur: the picture, blurred. line: dark lines, white on black.
    tile: the picture without small details.

    Example: latelier preprocess canny photo.jpg edges.png

    Args:
        name: the filter.
        picture: an image file.
        output: a .png or .jpg file.
        low: of canny, the gradient of edges that touch others; 0.4 by default.
        high: of canny, the gradient of edges; 0.8 by default.
        sigma: of blur, 9 by default, and of line, 6 by default.
        threshold: of line, how much darker than its surroundings a line is; 0.03 by default.
        factor: of tile, the size of the details that are lost; 8 by default.
        force: replace an existing file.
    """
    from latelier.cli.support.output import show_line

    given = {"low": low, "high": high, "sigma": sigma, "threshold": threshold, "factor": factor}
    options = {key: value for key, value in given.items() if value is not None}
    write_hint(name, picture, output, options, force=force)
    show_line(output)


def write_hint(
    name: str, picture: Path, output: Path, options: Mapping[str, Any], *, force: bool = False
) -> None:
    """Write the hint that a filter makes of a picture.

    Args:
        name: of the filter.
        picture: the file of the picture.
        output: a .png or .jpg file.
        options: of the filter.
        force: whether the output may be replaced.

    Raises:
        UnknownNameError: there is no such filter, or it has no such option.
        InvalidInputError: the picture cannot be read, or the output cannot be written.
    """
    from latelier.cli.support.destinations import check_destination, save_image
    from latelier.contracts.errors import InvalidInputError
    from latelier.contracts.images.pixels import pil_to_tensor, tensor_to_pil
    from latelier.contracts.images.reading import open_picture

    function = _find_filter(name, options)
    check_destination(output, force=force)
    try:
        image = open_picture(str(picture)).convert("RGB")
    except ValueError as error:
        raise InvalidInputError(f"{error}") from None
    hints = function(pil_to_tensor(image)[None], **options)
    save_image(tensor_to_pil(hints)[0], output, force=force)


def _find_filter(name: str, options: Mapping[str, Any]) -> Callable[..., Any]:
    """Return a filter that has these options."""
    from latelier.contracts.errors import UnknownNameError
    from latelier.contracts.messages import suggestion

    from latelier_addons.preprocessors.filters import FILTERS

    if name not in FILTERS:
        raise UnknownNameError(f"no preprocessor '{name}'. {suggestion(name, FILTERS)}")
    known = list(signature(FILTERS[name]).parameters)[1:]
    for option in options:
        if option not in known:
            raise UnknownNameError(f"{name} has no option '{option}'. {suggestion(option, known)}")
    return FILTERS[name]
