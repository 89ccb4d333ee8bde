"""A palette as a condition of latelier: a list of colours that the picture is to have."""

from latelier import hookimpl
from latelier.kernel.registrar import Registrar


class PalettePlugin:
    """Registers the conditioner."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        """Register the conditioner of this distribution."""
        registrar.conditioner(
            "palette",
            factory="latelier_palette.conditioner:PaletteConditioner",
            config="latelier_palette.inputs:PaletteConfig",
            input="latelier_palette.inputs:Palette",
        )


plugin = PalettePlugin()
