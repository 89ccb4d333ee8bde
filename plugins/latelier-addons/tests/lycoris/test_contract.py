"""The conformance kit, over every form of a change."""

import pytest
from latelier.testing import WeightAdapterContract

from latelier_addons.lycoris.adapter import Lycoris

from .conftest import write
from .test_reading import draw, loha


def low_rank(outputs, inputs, kernel):
    down = draw(2, inputs // (kernel[0] * kernel[1]), *kernel) if kernel else draw(2, inputs)
    return {"lora_down.weight": down, "lora_up.weight": draw(outputs, 2)}


FORMS = {
    "loha": lambda outputs, inputs, kernel: loha(outputs, inputs),
    "lokr": lambda outputs, inputs, kernel: {
        "lokr_w1": draw(2, 2),
        "lokr_w2_a": draw(outputs // 2, 1),
        "lokr_w2_b": draw(1, inputs // 2),
    },
    "dora": lambda outputs, inputs, kernel: {
        **low_rank(outputs, inputs, kernel),
        "dora_scale": draw(outputs, 1).abs(),
    },
    "differences": lambda outputs, inputs, kernel: {
        "diff": draw(outputs, inputs),
        "diff_b": draw(outputs),
    },
}


class TestLycoris(WeightAdapterContract):
    component = "latelier-addons/lycoris"

    @pytest.fixture(autouse=True, params=FORMS)
    def choose(self, request, tmp_path, atelier):
        self.form, self.folder, self.found = request.param, tmp_path, atelier

    def atelier(self):
        return self.found

    def create(self, layers):
        tensors = {}
        for address, layer in layers.items():
            outputs, inputs = layer.weight.flatten(1).shape
            parts = FORMS[self.form](outputs, inputs, layer.weight.shape[2:])
            tensors |= {f"{address}.{part}": each for part, each in parts.items()}
        path = write(self.folder / "created.safetensors", tensors)
        return Lycoris.read(path, self.model())
