"""`latelier show`: print how a picture was made."""

from pathlib import Path
from typing import Annotated

import typer

from latelier.cli.support.lazy import LightTyper
from latelier.cli.support.output import AsJson, show_fields, show_json

app = LightTyper()


@app.command()
def show(
    picture: Annotated[
        Path, typer.Argument(metavar="PICTURE", help="A PNG or JPEG written by latelier.")
    ],
    as_json: AsJson = False,
) -> None:
    """Print the settings that a picture was made with.

    They are those of its file. `latelier replay` makes the picture again; --json has the whole
    provenance.
    """
    from latelier.contracts.errors import InvalidInputError
    from latelier.contracts.messages import one_line
    from latelier.provenance.image_files import read_provenance
    from latelier.provenance.settings import Settings

    image, provenance = read_provenance(picture)
    if as_json:
        show_json(provenance)
        return
    settings = Settings.read(provenance)
    if settings is None:
        raise InvalidInputError(f"{picture}: its provenance is damaged; --json prints it as it is")
    show_fields([(one_line(name), one_line(text)) for name, text in settings.lines(image.size)])
