from latelier import hookimpl


class Plugin:
    @hookimpl
    def latelier_register(self, registrar):
        registrar.denoiser(
            "flux",
            factory="latelier_flux.denoiser:Flux",
            config="latelier_flux.configs:FluxConfig",
        )
        registrar.conditioner(
            "numbers",
            factory="latelier_flux.conditioner:NumbersConditioner",
            config="latelier_flux.configs:NumbersConfig",
            input="latelier_flux.configs:Numbers",
        )
        registrar.importer("flux", factory="latelier_flux.importer:FluxImporter")


plugin = Plugin()
