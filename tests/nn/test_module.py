import pytest
from torch import nn

from latelier.contracts.errors import InvalidConfigError
from latelier.nn.module import ConfiguredModule, to_module_dict


def test_a_module_keeps_its_configuration() -> None:
    config = {"width": 3}
    assert ConfiguredModule(config).config is config


def test_a_module_dict_holds_the_layers_by_name() -> None:
    layers = {"text": nn.Linear(2, 3), "palette": nn.Linear(1, 3)}
    container = to_module_dict(layers)
    assert list(container) == ["text", "palette"]
    assert container["text"] is layers["text"]


@pytest.mark.parametrize("name", ["keys", "items", "training"])
def test_a_name_reserved_by_torch_is_refused(name: str) -> None:
    with pytest.raises(InvalidConfigError, match=f"cannot be named '{name}'"):
        to_module_dict({name: nn.Identity()})
