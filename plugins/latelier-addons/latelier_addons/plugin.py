"""Plugin entry point."""

from latelier import Registrar, hookimpl


class AddonsPlugin:
    """Registers the kinds of adapters and their importers."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        registrar.adapter_kind(
            "controlnet",
            factory="latelier_addons.controlnet.network:ControlNet",
            config="latelier_addons.controlnet.config:ControlNetConfig",
        )
        registrar.adapter_kind(
            "t2i_adapter",
            factory="latelier_addons.t2i_adapter.network:T2IAdapter",
            config="latelier_addons.t2i_adapter.config:T2IAdapterConfig",
        )
        registrar.adapter_kind(
            "lycoris",
            factory="latelier_addons.lycoris.adapter:Lycoris",
            config="latelier_addons.lycoris.configs:LycorisConfig",
        )
        registrar.importer(
            "controlnet", factory="latelier_addons.controlnet.importer:ControlNetImporter"
        )
        registrar.importer(
            "t2i_adapter", factory="latelier_addons.t2i_adapter.importer:T2IAdapterImporter"
        )


plugin = AddonsPlugin()
