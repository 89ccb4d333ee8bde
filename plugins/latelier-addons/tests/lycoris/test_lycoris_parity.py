"""Files of LyCORIS give the weights that LyCORIS computes, over every layer of every model."""

import pytest
import torch
from latelier.checkpoints.lora.layers import find_layers, find_parameters, find_weighted_layers
from torch import nn

from .conftest import fill, merged_parameters, modules_of, write

lycoris = pytest.importorskip("lycoris")
from lycoris.modules.full import FullModule  # noqa: E402
from lycoris.modules.glora import GLoRAModule  # noqa: E402
from lycoris.modules.locon import LoConModule  # noqa: E402
from lycoris.modules.loha import LohaModule  # noqa: E402
from lycoris.modules.lokr import LokrModule  # noqa: E402
from lycoris.modules.norms import NormModule  # noqa: E402

LOW = {"lora_dim": 2, "alpha": 3.0}
DORA = {**LOW, "weight_decompose": True}
FORMS = {
    "loha": (LohaModule, LOW),
    "loha, tucker": (LohaModule, {**LOW, "use_tucker": True}),
    "loha, rank-stabilized": (LohaModule, {**LOW, "rs_lora": True}),
    "loha, dora of outputs": (LohaModule, DORA),
    "loha, dora of inputs": (LohaModule, {**DORA, "wd_on_out": False}),
    "lokr": (LokrModule, LOW),
    "lokr, both factored": (LokrModule, {"lora_dim": 1, "alpha": 3.0, "decompose_both": True}),
    "lokr, tucker": (LokrModule, {"lora_dim": 1, "alpha": 3.0, "use_tucker": True}),
    "lokr, full": (LokrModule, {**LOW, "full_matrix": True}),
    "lokr, factor 4": (LokrModule, {**LOW, "factor": 4, "unbalanced_factorization": True}),
    "lokr, dora": (LokrModule, DORA),
    "glora": (GLoRAModule, LOW),
    "locon, tucker": (LoConModule, {**LOW, "use_tucker": True}),
    "dora of outputs": (LoConModule, DORA),
    "dora of inputs": (LoConModule, {**DORA, "wd_on_out": False}),
    "dora, rank-stabilized": (LoConModule, {**DORA, "rs_lora": True}),
}
MODELS = ("unet", "plain unet", "transformer")


def copy_layer(layer):
    """Return a layer of torch's own class, which LyCORIS knows."""
    bias = layer.bias is not None
    match layer:
        case nn.Linear():
            copy = nn.Linear(layer.in_features, layer.out_features, bias)
        case nn.Conv1d() | nn.Conv2d():
            kind = nn.Conv1d if isinstance(layer, nn.Conv1d) else nn.Conv2d
            copy = kind(
                layer.in_channels,
                layer.out_channels,
                layer.kernel_size,
                layer.stride,
                layer.padding,
                bias=bias,
            )
        case nn.GroupNorm():
            copy = nn.GroupNorm(layer.num_groups, layer.num_channels)
        case nn.LayerNorm():
            copy = nn.LayerNorm(layer.normalized_shape)
    copy.load_state_dict(layer.state_dict())
    return copy.requires_grad_(False)


def to_file_name(address):
    place, _, path = address.partition(".")
    path = path.removeprefix("text.")
    return f"{'lora_unet' if place == 'denoiser' else 'lora_te1'}_{path.replace('.', '_')}"


def draw_input(layer):
    generator = torch.Generator().manual_seed(0)
    if isinstance(layer, nn.Linear):
        return torch.randn(2, layer.in_features, generator=generator)
    size = (6,) * len(layer.kernel_size)
    return torch.randn(2, layer.in_channels, *size, generator=generator)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("form", FORMS)
def test_every_layer(model_of, tmp_path, model, form):
    """The reference is what training computes; `get_merged_weight` of LoHa scales twice."""
    kind, options = FORMS[form]
    components = model_of(model)
    tensors, theirs = {}, {}
    layers = find_layers(modules_of(components))
    for seed, (address, layer) in enumerate(layers.items()):
        changed = kind(to_file_name(address), copy_layer(layer), **options)
        changed.apply_to()
        fill(changed, seed, 0.5)
        theirs[address] = changed
        for key, tensor in changed.custom_state_dict().items():
            tensors[f"{changed.lora_name}.{key}"] = tensor.detach()
    found = merged_parameters(components, write(tmp_path / "a.safetensors", tensors))
    for address, changed in theirs.items():
        ours = copy_layer(layers[address])
        ours.weight.data = found[f"{address}.weight"]
        x = draw_input(layers[address])
        wanted = changed(x)
        torch.testing.assert_close(ours(x), wanted, rtol=1e-5, atol=1e-5, msg=address)
        assert not torch.allclose(wanted, copy_layer(layers[address])(x), rtol=1e-2), address
    for address, parameter in find_parameters(modules_of(components)).items():
        is_changed = address.removesuffix(".weight") in theirs
        assert torch.equal(found[address], parameter) != is_changed, address


@pytest.mark.parametrize("model", MODELS)
def test_whole_differences_of_weights_biases_and_norms(model_of, tmp_path, model):
    components = model_of(model)
    tensors, wanted = {}, {}
    for seed, (address, layer) in enumerate(find_weighted_layers(modules_of(components)).items()):
        is_norm = isinstance(layer, nn.GroupNorm | nn.LayerNorm)
        if isinstance(layer, nn.Embedding) or (is_norm and layer.bias is None):
            continue
        copy = copy_layer(layer)
        theirs = (NormModule if is_norm else FullModule)(to_file_name(address), copy)
        fill(theirs, seed, 0.5)
        stored = theirs.state_dict() if is_norm else theirs.custom_state_dict()
        for key, tensor in stored.items():
            tensors[f"{theirs.lora_name}.{key}"] = tensor.detach()
        weight, bias = theirs.make_weight() if is_norm else (theirs.weight, theirs.bias)
        wanted[f"{address}.weight"] = weight
        if bias is not None:
            wanted[f"{address}.bias"] = bias
    found = merged_parameters(components, write(tmp_path / "a.safetensors", tensors))
    for address, parameter in wanted.items():
        torch.testing.assert_close(found[address], parameter, rtol=1e-5, atol=1e-5, msg=address)
    assert any("bias" in address and "norm" in address for address in wanted)


def test_a_scale_multiplies_the_change_of_the_decomposed_weight(model_of, tmp_path):
    components = model_of()
    name = "input_blocks.0.0"
    layer = components["denoiser"].module.get_submodule(name)
    theirs = LoConModule("lora_unet_input_blocks_0_0", copy_layer(layer), **DORA)
    fill(theirs, 3, 0.5)
    tensors = {
        f"{theirs.lora_name}.{key}": each for key, each in theirs.custom_state_dict().items()
    }
    path = write(tmp_path / "a.safetensors", tensors)
    whole, half = (
        merged_parameters(components, path, scale)[f"denoiser.{name}.weight"]
        for scale in (1.0, 0.5)
    )
    torch.testing.assert_close(half, (layer.weight + whole) / 2)
