"""A fault: loading the entry point imports torch."""

import torch

from latelier import hookimpl


class TorchPlugin:
    device = torch.device("cpu")

    @hookimpl
    def latelier_register(self, registrar):
        registrar.conditioner(
            "torch_plugin",
            factory="latelier_mutants.conditioners:Beads",
            config="latelier_mutants.inputs:BeadsConfig",
            input="latelier_mutants.inputs:Beads",
        )


plugin = TorchPlugin()
