"""`latelier data preview`: look at the built-in data set."""

from typing import Annotated

import typer

from latelier.cli.support.destinations import Force, plan_destinations, save_image
from latelier.cli.support.output import show_line


def preview(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="The PNG to write.")
    ] = "emoji-scenes.png",
    vocabulary: Annotated[str, typer.Option(metavar="NAME", help="basic or all.")] = "basic",
    count: Annotated[
        int, typer.Option("-n", min=1, max=1024, metavar="COUNT", help="Number of scenes.")
    ] = 32,
    seed: Annotated[int, typer.Option(min=0, metavar="SEED", help="Seed of the scenes.")] = 0,
    size: Annotated[int, typer.Option(metavar="SIDE", help="Side of a scene in pixels.")] = 64,
    background: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="plain, gradient, stripes, dots, checks or place. Repeatable; a kind that is "
            "given twice is drawn twice as often.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Draw a contact sheet of emoji scenes, each with its caption."""
    (path,) = plan_destinations(output, "emoji-scenes", [seed], force=force)

    from PIL import Image

    from latelier.contracts.errors import InvalidInputError
    from latelier.contracts.frozen import validate
    from latelier.data.contact_sheet import draw_contact_sheet
    from latelier.data.emoji_scenes import SceneConfig
    from latelier.data.emoji_scenes.dataset import EmojiScenes

    values = {"vocabulary": vocabulary, "size": size}
    if background:
        values["backgrounds"] = background
    config = validate(SceneConfig, values, "scenes", InvalidInputError)
    dataset = EmojiScenes(config, seed, count)
    scenes = [dataset.scene(index) for index in range(count)]
    sheet = draw_contact_sheet(
        [Image.fromarray(scene.image) for scene in scenes],
        [scene.caption for scene in scenes],
        tile=max(128, size),
    )
    save_image(sheet, path, force=force)
    show_line(path)
