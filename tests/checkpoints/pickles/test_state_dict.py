"""Weights are found wherever training programs put them."""

import pytest
import torch

from latelier.checkpoints.pickles.state_dict import state_dict_in
from latelier.contracts.errors import ModelFileError


def t(*shape: int) -> torch.Tensor:
    return torch.zeros(shape or (2,))


TREES = {
    "a state dict": ({"a.weight": t(), "step": 3}, ["a.weight"]),
    "Lightning": ({"state_dict": {"a.weight": t()}, "callbacks": {"x": {}}}, ["a.weight"]),
    "model": ({"model": {"a.weight": t()}, "epoch": 3}, ["a.weight"]),
    "module": ({"module": {"a.weight": t()}}, ["a.weight"]),
    "params": ({"params": {"a.weight": t()}}, ["a.weight"]),
    "ema alone": ({"ema": {"a.weight": t()}, "opt": {"state": {0: {}}}}, ["a.weight"]),
    "nested twice": ({"model": {"state_dict": {"a.weight": t()}}}, ["a.weight"]),
    "IP-Adapter": (
        {"image_proj": {"proj.weight": t()}, "ip_adapter": {"1.to_k_ip.weight": t()}},
        ["image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight"],
    ),
    "embedding": ({"string_to_param": {"*": t(2, 8)}, "name": "x"}, ["string_to_param.*"]),
    "parts": ({"unet": {"a": t()}, "text_encoder": {"b": t()}}, ["unet.a", "text_encoder.b"]),
}


@pytest.mark.parametrize(("tree", "names"), TREES.values(), ids=TREES.keys())
def test_tensors_are_found_in_nested_containers(tree, names):
    assert list(state_dict_in(tree, "x", 10**6)) == names


def test_ema_weights_take_precedence():
    for key in ("ema", "model_ema", "params_ema"):
        tree = {"model": {"w": torch.zeros(2)}, key: {"w": torch.ones(2)}, "opt": {}}
        assert state_dict_in(tree, "x", 10**6)["w"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("tree", "why"),
    [
        ({"state": {0: {"exp_avg": t()}}, "param_groups": []}, "the state of an optimizer"),
        ({"epoch": 3, "loss": 0.5}, "no tensors by name; its keys are epoch, loss"),
        ({}, "its keys are nothing"),
        ([t()], "expected a dictionary, got list"),
        (t(), "expected a dictionary, got Tensor"),
    ],
)
def test_a_file_without_weights_is_explained(tree, why):
    with pytest.raises(ModelFileError, match=why):
        state_dict_in(tree, "x", 10**6)
