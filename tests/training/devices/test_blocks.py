from torch import nn

from latelier.nn.layers import EncoderLayer
from latelier.training.devices.blocks import compile_blocks, find_blocks


def test_blocks_are_compiled_one_by_one_and_keep_their_names(monkeypatch):
    compiled = []

    def count(block):
        compiled.append(block)

    monkeypatch.setattr(nn.Module, "compile", count)
    network = nn.ModuleDict({"layers": nn.ModuleList([EncoderLayer(4, 2), EncoderLayer(4, 2)])})
    names = list(network.state_dict())
    compile_blocks(network)
    assert compiled == list(find_blocks(network)) == list(network["layers"])
    assert list(network.state_dict()) == names
