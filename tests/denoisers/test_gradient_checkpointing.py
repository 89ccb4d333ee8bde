"""Recomputed activations: the same gradients with far less memory."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition, Stream
from latelier.denoisers.configs import TransformerConfig, UNetConfig
from latelier.denoisers.transformer import Transformer
from latelier.denoisers.unet import UNet

SHARED = {
    "in_channels": 4,
    "out_channels": 4,
    "context_dim": 16,
    "streams": {"text": {"width": 16, "injection": "native"}},
}
UNET = {
    **SHARED,
    "model_channels": 16,
    "channel_mult": (1, 2),
    "attention_resolutions": (2,),
    "num_heads": 2,
    "num_groups": 4,
    "dropout": 0.5,
}
TRANSFORMER = {**SHARED, "hidden_size": 32, "depth": 3, "num_heads": 2}


@pytest.fixture(params=["unet", "transformer"])
def model(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = (
            UNet(UNetConfig.model_validate(UNET))
            if request.param == "unet"
            else Transformer(TransformerConfig.model_validate(TRANSFORMER))
        )
        for parameter in model.parameters():  # zeros would hide the rest
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def run_backward(model, control):
    """Return the loss, every gradient, and how many numbers are stored between the passes."""
    model.zero_grad()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 8, 8, generator=generator)
    condition = Condition({"text": Stream(torch.randn(2, 5, 16, generator=generator))})
    stored = 0

    def count(tensor):
        nonlocal stored
        stored += tensor.numel() * (not isinstance(tensor, torch.nn.Parameter))
        return tensor

    with torch.random.fork_rng():
        torch.manual_seed(1)  # of drop-out
        with saved_tensors_hooks(count, lambda tensor: tensor):
            loss = model(x, torch.tensor([3.0, 500.0]), condition, control).square().mean()
        loss.backward()
    return loss.item(), {n: p.grad for n, p in model.named_parameters()}, stored


def test_gradient_checkpointing_keeps_gradients_and_saves_memory(model):
    loss, gradients, stored = run_backward(model, None)
    again, found, less = run_backward(model, Control(gradient_checkpointing=True))
    assert again == loss
    assert gradients.keys() == found.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-6, atol=1e-9)
    assert less < stored / 3


def test_without_a_backward_pass_it_has_no_effect(model):
    x, condition = torch.ones(1, 4, 8, 8), Condition({"text": Stream(torch.ones(1, 2, 16))})
    model.eval()
    with torch.no_grad():
        plain = model(x, torch.ones(1), condition)
        assert torch.equal(
            model(x, torch.ones(1), condition, Control(gradient_checkpointing=True)), plain
        )
