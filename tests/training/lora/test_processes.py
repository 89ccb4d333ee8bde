"""Two processes train the LoRA that one trains, with gradients or also weights shared."""

import importlib.util
from pathlib import Path

import torch
from safetensors.torch import load_file

SCRIPT = Path(__file__).parent / "duo.py"


def load_script():
    spec = importlib.util.spec_from_file_location("lora_duo", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_two_processes_train_the_same_lora(compose_tiny, tiny_changes, torchrun, tmp_path):
    text = ("text", {"width": 16, "layers": 1, "heads": 2, "max_length": 128})
    label = tiny_changes()["conditioners"]["label"]
    model = tmp_path / "model"
    compose_tiny(conditioners={"text": text, "label": label}).save(model)

    def prepare(folder):
        load_script().train(model=str(model), out=folder / "one")
        return [
            {"model": str(model), "out": strategy, "strategy": strategy}
            for strategy in ("ddp", "fsdp")
        ]

    folder, _ = torchrun(SCRIPT, prepare)
    one, *others = (
        load_file(folder / name / "result" / "adapter.safetensors")
        for name in ("one", "ddp", "fsdp")
    )
    for other in others:
        assert other.keys() == one.keys()
        for name, tensor in one.items():
            torch.testing.assert_close(other[name], tensor, rtol=1e-4, atol=1e-6)
