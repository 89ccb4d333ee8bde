"""A palette as a condition of latelier: a list of colours that the picture is to have."""

from latelier import Registrar, hookimpl


class PalettePlugin:
    """Registers the conditioner, and the adapter that brings it to emoji-scenes."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        """Register the components of this distribution."""
        registrar.conditioner(
            "palette",
            factory="latelier_palette.conditioner:PaletteConditioner",
            config="latelier_palette.inputs:PaletteConfig",
            input="latelier_palette.inputs:Palette",
        )
        registrar.adapter("palette", folder="latelier_palette:adapter")


plugin = PalettePlugin()
