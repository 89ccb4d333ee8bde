"""What every importer keeps to, by the conformance kit."""

import pytest
from latelier.testing import ImporterContract


class _Published(ImporterContract):
    @pytest.fixture(autouse=True)
    def plugins(self, atelier):
        self.plugins = atelier

    def atelier(self):
        return self.plugins


class TestControlNet(_Published):
    component = "latelier-addons/controlnet"

    @pytest.fixture(autouse=True)
    def write(self, new_controlnet):
        self.save = new_controlnet("sd").save_pretrained

    def source(self, folder):
        self.save(folder)
        return folder / "diffusion_pytorch_model.safetensors"


class TestT2IAdapter(_Published):
    component = "latelier-addons/t2i_adapter"

    def source(self, folder):
        from diffusers import T2IAdapter

        T2IAdapter(channels=[32, 64, 64, 64]).save_pretrained(folder)
        return folder / "diffusion_pytorch_model.safetensors"
