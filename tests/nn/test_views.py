"""Views of modules share everything but what is replaced."""

import torch
from torch import nn

from latelier.nn.views import copy_structure, copy_to, replace_layers, replace_weights


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 3), nn.ModuleList([nn.Linear(3, 3)]))
        self.same = self.body[0]
        self.register_buffer("table", torch.ones(3))


def test_a_copy_shares_tensors_but_no_layers():
    net = Net()
    copied = copy_structure(net)
    pairs = zip(copied.state_dict().values(), net.state_dict().values(), strict=True)
    assert all(one.data_ptr() == other.data_ptr() for one, other in pairs)
    assert copied.body is not net.body
    assert copied.same is copied.body[0]


def test_layers_are_replaced_in_the_view_alone():
    net = Net()
    view = replace_layers(net, {"body.1.0": nn.Identity()})
    assert isinstance(view.body[1][0], nn.Identity)
    assert isinstance(net.body[1][0], nn.Linear)
    assert view.body[0].weight is net.body[0].weight


def test_weights_are_replaced_in_the_view_alone():
    net = Net()
    before = net.body[0].weight.clone()
    view = replace_weights(net, {"body.0.weight": torch.zeros(3, 3)})
    assert not view.body[0].weight.any()
    assert not view.body[0].weight.requires_grad
    assert torch.equal(net.body[0].weight, before)
    assert view.body[0].bias is net.body[0].bias


def test_a_copy_in_another_precision_leaves_the_module_and_keeps_tied_layers():
    net = Net()
    net.register_buffer("count", torch.tensor(3))
    copied = copy_to(net, torch.device("cpu"), torch.bfloat16, shared=[net.body[1][0].weight])
    assert copied.same is copied.body[0]
    assert copied.body[0].weight.dtype == copied.table.dtype == torch.bfloat16
    assert torch.equal(copied.body[0].weight, net.body[0].weight.bfloat16())
    assert copied.count.dtype == torch.int64
    assert copied.body[1][0].weight is net.body[1][0].weight
    assert all(each.dtype == torch.float32 for each in net.parameters())


def test_a_copy_in_the_same_precision_shares_nothing():
    net = Net()
    copied = copy_to(net, torch.device("cpu"), torch.float32)
    pairs = zip(copied.parameters(), net.parameters(), strict=True)
    assert all(one.data_ptr() != other.data_ptr() for one, other in pairs)
    assert [each.requires_grad for each in copied.parameters()] == [True] * 4
