"""A palette as a condition of latelier: the colours of a picture."""

from latelier import Registrar, hookimpl


class PalettePlugin:
    """Registers the conditioner, and its adapter for emoji-scenes."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        registrar.conditioner(
            "palette",
            factory="latelier_palette.conditioner:PaletteConditioner",
            config="latelier_palette.inputs:PaletteConfig",
            input="latelier_palette.inputs:Palette",
            widget="latelier_palette:palette.js",
        )
        registrar.adapter("palette", folder="latelier_palette:adapter")


plugin = PalettePlugin()
