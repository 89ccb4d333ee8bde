"""Merging a LoRA into the weights equals applying it to the layers, over every kind of layer."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from latelier.checkpoints.lora.layers import find_layers, select_layers
from latelier.checkpoints.lora.lora import Lora
from latelier.checkpoints.merging import merge
from latelier.contracts.components import Control, PictureGeometry, ScaledAdapter
from latelier.contracts.condition import Condition, ConditionPart, Stream
from latelier.denoisers.adapter import create_adapter
from latelier.nn.low_rank import LowRankLayer, create_low_rank
from latelier.nn.views import replace_layers

from .conftest import DENOISERS, draw_lora, modules_of

GEOMETRY = PictureGeometry((16, 16), (8, 8))


def condition_of(denoiser, seed=3):
    generator = torch.Generator().manual_seed(seed)
    inputs = denoiser.config.inputs()
    parts = {
        name: ConditionPart(Stream(torch.randn(2, 5, slot.width, generator=generator)))
        for name, slot in inputs.streams.items()
    }
    parts |= {
        name: ConditionPart(vector=torch.randn(2, width, generator=generator))
        for name, width in inputs.vectors.items()
    }
    return Condition.of(parts)


def predict(denoiser, control=None, extra=None):
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(2, 4, 8, 8, generator=generator)
    t = torch.tensor([3.0, 700.0])
    with torch.no_grad():
        return denoiser(x, t, condition_of(denoiser).union(extra or Condition()), control)


def encode(conditioner):
    """Return the tokens of two texts, whatever the tokenizer would give."""
    with torch.no_grad():
        tokens = torch.arange(2 * conditioner.config.max_length).view(2, -1) % 300
        batch = {"tokens": tokens, "mask": torch.ones_like(tokens, dtype=torch.bool)}
        return conditioner(batch, GEOMETRY).stream.tokens


def apply_layers(components, lora, scale):
    """Return the modules with the layers of a LoRA in place of their own."""
    layers = find_layers(modules_of(components))
    lora.set_strength(scale)
    return {
        place: replace_layers(
            component.module,
            {
                path: LowRankLayer(layers[f"{place}.{path}"], change)
                for path, change in select_layers(lora.layers, place).items()
            },
        )
        for place, component in components.items()
    }


@pytest.mark.parametrize("scale", [1.0, 0.3, -0.7])
@pytest.mark.parametrize("name", DENOISERS)
def test_merging_equals_applying(model_of, name, scale):
    components = model_of(name)
    lora = draw_lora(components)
    merged = merge(components, [(lora, scale)])
    applied = apply_layers(components, lora, scale)
    found = predict(merged["denoiser"].module)
    torch.testing.assert_close(found, predict(applied["denoiser"]), rtol=1e-4, atol=2e-5)
    assert (found - predict(components["denoiser"].module)).abs().max() > 1e-2
    found = encode(merged["conditioners.text"].module)
    torch.testing.assert_close(found, encode(applied["conditioners.text"]), rtol=1e-4, atol=1e-5)
    assert (found - encode(components["conditioners.text"].module)).abs().max() > 1e-2


@pytest.mark.parametrize("name", DENOISERS)
def test_each_layer_takes_part_in_the_prediction(model_of, name):
    """No layer's change is lost where a module reads the weight of another one itself."""
    denoiser = {"denoiser": model_of(name)["denoiser"]}
    lora = draw_lora(denoiser)
    applied = apply_layers(denoiser, lora, 0.0)["denoiser"]
    before = predict(applied)
    torch.testing.assert_close(before, predict(denoiser["denoiser"].module))
    for address, change in lora.layers.items():
        change.strength = 1.0
        assert not torch.equal(predict(applied), before), address
        change.strength = 0.0


def test_an_attention_adapter_sees_the_changed_layers(unet_model):
    denoiser = unet_model["denoiser"].module
    with torch.no_grad():
        adapter = create_adapter(denoiser, 16, None)
        for weights in adapter.parameters():
            weights.add_(0.1)
    control = Control(adapters={"palette": ScaledAdapter(adapter, 0.5)})
    palette = Condition.of({"palette": ConditionPart(Stream(torch.ones(2, 3, 16)))})
    lora = draw_lora({"denoiser": unet_model["denoiser"]})
    merged = merge(unet_model, [(lora, 1.0)])["denoiser"].module
    applied = apply_layers(unet_model, lora, 1.0)["denoiser"]
    found = predict(merged, control, palette)
    torch.testing.assert_close(found, predict(applied, control, palette), rtol=1e-4, atol=2e-5)
    assert not torch.equal(found, predict(merged))


def test_the_base_keeps_every_bit_and_shares_what_does_not_change(unet_model):
    before = {
        place: {name: each.clone() for name, each in component.module.state_dict().items()}
        for place, component in unet_model.items()
    }
    lora = draw_lora(unet_model, only=lambda address: address.endswith("to_k"))
    merged = merge(unet_model, [(lora, 1.0)])
    assert merged.keys() == {"denoiser"}
    base = dict(unet_model["denoiser"].module.named_parameters())
    own = {
        name
        for name, each in merged["denoiser"].module.named_parameters()
        if each.data_ptr() != base[name].data_ptr()
    }
    assert own == {f"{path}.weight" for path in select_layers(lora.layers, "denoiser")}
    for place, component in unet_model.items():
        after = component.module.state_dict()
        assert all(torch.equal(each, after[name]) for name, each in before[place].items())


def test_unmerging_gives_the_weights_back(unet_model):
    lora = draw_lora(unet_model)
    merged = {**unet_model, **merge(unet_model, [(lora, 0.8)])}
    back = merge(merged, [(lora, -0.8)])
    for place, component in unet_model.items():
        after = back[place].module.state_dict()
        for name, tensor in component.module.state_dict().items():
            torch.testing.assert_close(after[name], tensor, rtol=1e-5, atol=1e-6)


def test_a_scale_of_zero_changes_nothing(unet_model):
    assert merge(unet_model, [(draw_lora(unet_model), 0.0)]) == {}


def test_several_loras_add_up_in_any_order(unet_model):
    one, other = draw_lora(unet_model), draw_lora(unet_model, seed=1)
    both = merge(unet_model, [(one, 0.5), (other, -1.5)])
    swapped = merge(unet_model, [(other, -1.5), (one, 0.5)])
    for place in unet_model:
        after = swapped[place].module.state_dict()
        for name, tensor in both[place].module.state_dict().items():
            torch.testing.assert_close(after[name], tensor, rtol=1e-5, atol=1e-6)


def test_sums_are_rounded_once_in_16_bits(unet_model):
    denoiser = unet_model["denoiser"].converted(torch.bfloat16)
    lora = draw_lora({"denoiser": denoiser})
    merged = merge({"denoiser": denoiser}, [(lora, 1.0)])["denoiser"].module
    for path, change in select_layers(lora.layers, "denoiser").items():
        weight = merged.get_submodule(path).weight
        base = denoiser.module.get_submodule(path).weight.float()
        exact = base + change.difference(base)
        assert weight.dtype == torch.bfloat16
        torch.testing.assert_close(weight.float(), exact, rtol=2**-8, atol=1e-4)


def test_a_copy_in_another_precision_and_its_origin_are_changed(unet_model):
    denoiser = unet_model["denoiser"].to(torch.device("cpu"), torch.bfloat16)
    lora = draw_lora({"denoiser": denoiser})
    merged = merge({"denoiser": denoiser}, [(lora, 1.0)])["denoiser"]
    exact = merge(unet_model, [(lora, 1.0)])["denoiser"].module
    assert torch.equal(predict(merged.stored), predict(exact))
    address = next(iter(lora.layers))
    path = address.removeprefix("denoiser.")
    for module in (merged.module, merged.stored):
        weight, plain = (
            module.get_submodule(path).weight,
            denoiser.stored.get_submodule(path).weight,
        )
        torch.testing.assert_close(weight, plain + lora.layers[address].difference(plain))


def test_a_view_of_a_view_has_both(unet_model):
    keys = draw_lora(unet_model, only=lambda address: address.endswith("to_k"))
    values = draw_lora(unet_model, only=lambda address: address.endswith("to_v"))
    view = replace(unet_model["denoiser"])
    first = merge({"denoiser": view}, [(keys, 1.0)])
    nested = merge(first, [(values, 1.0)])["denoiser"].module
    at_once = merge(unet_model, [(keys, 1.0), (values, 1.0)])["denoiser"].module
    assert torch.equal(predict(nested), predict(at_once))


class Doubled:
    """A change that is no low-rank one: the weight itself is added."""

    def __init__(self, shape):
        self.shape = shape

    def difference(self, weight):
        return weight.float()


def test_other_changes_are_scaled_and_of_the_unchanged_weight(unet_model):
    address = "denoiser.out.2.weight"
    weight = unet_model["denoiser"].module.out[2].weight
    double = SimpleNamespace(changes={address: Doubled(weight.shape)})
    lora = draw_lora(unet_model, only=lambda layer: f"{layer}.weight" == address)
    for adapters in ([(double, 0.5), (lora, 0.8)], [(lora, 0.8), (double, 0.5)]):
        merged = merge(unet_model, adapters)["denoiser"].module.out[2].weight
        wanted = 1.5 * weight + 0.8 * lora.changes[address].difference(weight)
        torch.testing.assert_close(merged, wanted, rtol=1e-5, atol=1e-6)


def test_a_new_lora_has_no_effect(unet_model):
    layers = find_layers(modules_of(unet_model))
    changes = {address: create_low_rank(layer, 1, 1.0) for address, layer in layers.items()}
    merged = merge(unet_model, [(Lora(changes), 1.0)])
    assert torch.equal(predict(merged["denoiser"].module), predict(unet_model["denoiser"].module))
