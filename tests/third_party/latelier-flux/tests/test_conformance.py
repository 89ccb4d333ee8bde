import torch
from latelier_flux.configs import FluxConfig
from latelier_flux.denoiser import Flux
from safetensors.torch import save_file

from latelier.testing import ConditionerContract, DenoiserContract, ImporterContract

TINY = {
    "channels": 4,
    "width": 32,
    "heads": 2,
    "double_blocks": 1,
    "single_blocks": 1,
    "axes": (4, 6, 6),
    "context": 24,
    "pooled": 20,
    "guidance": True,
}


class TestFlux(DenoiserContract):
    component = "latelier-flux/flux"
    config = TINY


class TestNumbers(ConditionerContract):
    component = "latelier-flux/numbers"
    config = {"width": 2}
    inputs = [[0.0, 1.0], [3.5, -2.0], {"values": [1.0, 1.0]}]
    bad_inputs = ["north", {"value": [1.0, 2.0]}]


class TestFluxImporter(ImporterContract):
    component = "latelier-flux/flux"

    def source(self, folder):
        with torch.random.fork_rng(devices=[]):
            flux = Flux(FluxConfig(**{**TINY, "width": 64, "axes": (4, 14, 14)}))
        tensors = {f"model.diffusion_model.{k}": each for k, each in flux.state_dict().items()}
        save_file(tensors, folder / "flux.safetensors")
        return folder / "flux.safetensors"
