"""`latelier data check`: what is in a data set, and what is wrong with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latelier.cli.commands.data.index import DataPath, RootOption
from latelier.cli.support.destinations import (
    Force,
    check_destination,
    check_sheet,
    save,
    save_image,
)
from latelier.cli.support.output import AsJson, show_fields, show_json, show_line

if TYPE_CHECKING:
    from latelier.data.check.check import CheckResult

_MAX_NAMES = 5
"""Most names that a finding shows in the terminal; --json has all of them."""


def check(
    path: DataPath,
    root: RootOption = None,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a contact sheet: a .png or .jpg file."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the result as a page: an .html file."),
    ] = None,
    as_json: AsJson = False,
    force: Force = False,
) -> None:
    """Read every picture of a data set, and show what is in it and what is wrong with it.

    The status is 1 if there is a problem. No file of the data set is changed.
    """
    from latelier.cli.support.progress import track
    from latelier.contracts.errors import DataError
    from latelier.data.check.check import check_data
    from latelier.data.converters.recognize import open_manifest

    _check_destinations(sheet, html, force=force)
    manifest = open_manifest(path, root)
    result = check_data(manifest, track(manifest, "reading", len(manifest)))
    if as_json:
        show_json(result.to_json())
    else:
        _show(result)
    if not result.facts:
        raise DataError(f"{path}: no picture can be used")
    _write(result, sheet, html, force=force)
    if result.has_problems:
        raise typer.Exit(1)


def _check_destinations(sheet: Path | None, html: Path | None, *, force: bool) -> None:
    from latelier.contracts.errors import InvalidInputError

    check_sheet(sheet, [], force=force)
    if html is not None:
        if html.suffix.lower() not in (".html", ".htm"):
            raise InvalidInputError(f"--html: expected an .html file, got '{html}'")
        check_destination(html, force=force)


def _write(result: "CheckResult", sheet: Path | None, html: Path | None, *, force: bool) -> None:
    from latelier.data.check.page import draw_check_sheet, make_page
    from latelier.io.atomic import write_bytes

    if sheet is not None:
        save_image(draw_check_sheet(result), sheet, force=force)
    if html is not None:
        page = make_page(result).encode()
        save(lambda file, replace: write_bytes(file, page, replace=replace), html, force=force)


def _show(result: "CheckResult") -> None:
    from latelier.data.check.page import shorten_names

    numbers = result.numbers
    sizes, captions, boxes = numbers["sizes"], numbers["captions"], numbers["boxes"]
    show_fields(
        [
            ("pictures", f"{len(result.facts)} of {len(result.manifest)} can be used"),
            ("sizes", _range(sizes.get("smallest"), sizes.get("largest"))),
            ("short sides", _counts(sizes.get("short_side", {}))),
            ("aspect ratios", _counts(sizes.get("aspect_ratio", {}))),
            ("captions", _describe_captions(captions)),
            ("classes", _counts(numbers["classes"]["pictures"])),
            ("boxes", _counts(boxes["labels"])),
            ("maps", _counts(numbers["maps"])),
        ]
    )
    for each in result.findings:
        names = shorten_names(each.samples, _MAX_NAMES)
        show_line(f"{each.severity}: {len(each.samples)} {each.text}: {names}")


def _describe_captions(captions: dict[str, object]) -> str:
    if not captions["total"]:
        return ""
    words = captions["words"]
    assert isinstance(words, dict)
    missing = captions["pictures_without"]
    without = f" ({missing} have none)" if missing else ""
    return (
        f"{captions['total']} of {captions['pictures_with']} pictures{without}, "
        f"{captions['distinct']} different; "
        f"{words['least']} to {words['most']} words, median {words['median']}"
    )


def _range(smallest: list[int] | None, largest: list[int] | None) -> str:
    if smallest is None or largest is None:
        return ""
    return "{} x {}".format(*smallest) + (
        "" if smallest == largest else " to {} x {}".format(*largest)
    )


def _counts(counts: dict[str, int]) -> str:
    shown = [f"{name.replace('_', ' ')}: {count}" for name, count in counts.items()]
    more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    return ", ".join(shown[:8]) + more
