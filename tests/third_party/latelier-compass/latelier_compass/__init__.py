from latelier import hookimpl


class Plugin:
    @hookimpl
    def latelier_register(self, registrar):
        registrar.conditioner(
            "compass",
            factory="latelier_compass.conditioner:CompassConditioner",
            config="latelier_compass.inputs:CompassConfig",
            input="latelier_compass.inputs:Direction",
        )


plugin = Plugin()
