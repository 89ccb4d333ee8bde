"""Plugin entry point."""

from latelier import Registrar, hookimpl


class AddonsPlugin:
    """Registers the kinds of adapters and their importers."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        """Register components."""


plugin = AddonsPlugin()
