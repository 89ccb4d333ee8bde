"""Folders of peft give the weights that peft merges, over every layer."""

from copy import deepcopy

import pytest
import torch
from latelier.checkpoints.lora.layers import find_layers, find_parameters

from .conftest import fill, merged_parameters, modules_of

peft = pytest.importorskip("peft")

FORMS = {
    "loha": lambda **names: peft.LoHaConfig(r=2, alpha=3, **names),
    "loha, tucker": lambda **names: peft.LoHaConfig(
        r=2, alpha=3, use_effective_conv2d=True, **names
    ),
    "lokr": lambda **names: peft.LoKrConfig(r=2, alpha=3, **names),
    "lokr, both factored": lambda **names: peft.LoKrConfig(
        r=1, alpha=3, decompose_both=True, **names
    ),
    "lokr, tucker": lambda **names: peft.LoKrConfig(
        r=1, alpha=3, use_effective_conv2d=True, **names
    ),
    "lokr, whole": lambda **names: peft.LoKrConfig(r=16, alpha=3, **names),
    "patterns": lambda **names: peft.LoHaConfig(
        r=2, alpha=3, rank_pattern={"to_k": 3}, alpha_pattern={"to_q": 5}, **names
    ),
    "dora": lambda **names: peft.LoraConfig(r=2, lora_alpha=3, use_dora=True, **names),
    "dora, rank-stabilized": lambda **names: peft.LoraConfig(
        r=2, lora_alpha=3, use_dora=True, use_rslora=True, **names
    ),
}


def convert(module):
    """Return a copy of a module whose layers are of torch's own classes, which peft knows."""
    copy = torch.nn.Module()  # without our configuration, which is none of transformers
    for name, child in deepcopy(module).named_children():
        copy.add_module(name, child)
    for layer in copy.modules():
        for kind in (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d):
            if isinstance(layer, kind):
                layer.__class__ = kind
    return copy


@pytest.mark.parametrize("model", ["unet", "transformer"])
@pytest.mark.parametrize("form", FORMS)
def test_every_layer(model_of, tmp_path, model, form):
    components = {"denoiser": model_of(model)["denoiser"]}
    layers = find_layers(modules_of(components))
    names = [address.removeprefix("denoiser.") for address in layers]
    theirs = peft.get_peft_model(
        convert(components["denoiser"].module), FORMS[form](target_modules=names)
    )
    before = {key: each.clone() for key, each in theirs.state_dict().items()}
    fill(theirs, seed=2, scale=0.5)
    base = {key: each for key, each in before.items() if "base_layer" in key}
    theirs.load_state_dict(base, strict=False)
    theirs.save_pretrained(tmp_path)
    found = merged_parameters(components, tmp_path / "adapter_model.safetensors")
    merged = dict(theirs.merge_and_unload().named_parameters())
    parameters = find_parameters(modules_of(components))
    for address in layers:
        weight, name = found[f"{address}.weight"], f"{address}.weight"
        wanted = merged[name.removeprefix("denoiser.")]
        torch.testing.assert_close(weight, wanted, rtol=1e-5, atol=1e-5, msg=address)
        assert not torch.equal(weight, parameters[name]), address
