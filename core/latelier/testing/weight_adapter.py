"""The contract of weight adapters."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latelier.checkpoints.lora.layers import find_layers, find_parameters
from latelier.contracts.adapters import Model
from latelier.contracts.errors import CompatibilityError, LatelierError
from latelier.nn.low_rank import ChangeableLayer
from latelier.testing.component import ComponentContract
from latelier.testing.support.comparison import has_same_bits, is_close
from latelier.testing.support.randomness import seeded
from latelier.testing.support.schemas import check_round_trip


class WeightAdapterContract(ComponentContract):
    """The contract of weight adapters. A plugin's own test file:

        from latelier.testing import WeightAdapterContract

        class TestScale(WeightAdapterContract):
            component = "latelier-scale/scale"

            def create(self, layers):
                return Scale({f"{address}.weight": 0.5 for address in layers})

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
    """  # noqa: D415

    kind = "adapter_kind"

    def create(self, layers: Mapping[str, ChangeableLayer], /) -> Any:
        """Return an adapter that changes parameters of some of these layers, by address."""
        raise NotImplementedError

    def model(self) -> Model:
        """Return a small model: a linear layer, a convolution, and a conditioner's layer."""
        with seeded():
            denoiser = nn.Sequential(nn.Linear(6, 8), nn.Conv2d(4, 6, 3))
            return {"denoiser": denoiser, "conditioners.text": nn.Sequential(nn.Linear(8, 8))}

    @property
    def kind_class(self) -> Any:
        """The registered class."""
        return self.registry.get(self.component)

    def _create(self) -> Any:
        with seeded():
            adapter = self.create(find_layers(self.model()))
        assert adapter.changes, "the adapter of this test changes no parameter"
        return adapter

    def _changed(self, adapter: Any) -> Iterator[tuple[str, Any, Tensor]]:
        """Yield the address, the change and the value of each parameter that it changes."""
        parameters = find_parameters(self.model())
        for address, change in adapter.changes.items():
            if address in parameters:
                yield address, change, parameters[address].detach()

    def test_its_config_survives_a_round_trip(self) -> None:
        """A manifest stores the config as JSON: it comes back as the same value."""
        config = self._create().config
        check_round_trip(self.registry.config_class(self.component), config, "config")

    def test_its_changes_are_of_parameters_of_the_model(self) -> None:
        """Each has the address and the shape of a parameter."""
        parameters = find_parameters(self.model())
        for address, change in self._create().changes.items():
            assert address in parameters, f"no parameter has the address '{address}'"
            expected = tuple(parameters[address].shape)
            assert tuple(change.shape) == expected, (
                f"the change of '{address}' has the shape {tuple(change.shape)}, the parameter "
                f"{expected}"
            )

    def test_a_difference_is_finite_and_of_the_weights_shape(self) -> None:
        """Also of 16-bit weights."""
        for address, change, parameter in self._changed(self._create()):
            for dtype in (torch.float32, torch.bfloat16):
                weight = parameter.to(dtype)
                found = change.difference(weight)
                assert found.shape == weight.shape, (
                    f"the difference of '{address}' has the shape {tuple(found.shape)}"
                )
                assert found.isfinite().all(), f"the difference of '{address}' is not finite"

    def test_it_changes_no_weight_in_place(self) -> None:
        """A model is shared by views with other adapters and without any."""
        for address, change, weight in self._changed(self._create()):
            before = weight.clone()
            change.difference(weight)
            assert has_same_bits(weight, before), f"the weight of '{address}' has changed"

    def test_its_file_is_read_again(self, tmp_path: Path) -> None:
        """`read` gives the changes that `write` was given."""
        adapter, model = self._create(), self.model()
        adapter.write(tmp_path / "a.safetensors", model)
        found = self.kind_class.read(tmp_path / "a.safetensors", model)
        assert found.changes.keys() == adapter.changes.keys(), (
            f"of {sorted(adapter.changes)} its file gives {sorted(found.changes)}"
        )
        for address, change, weight in self._changed(adapter):
            assert is_close(found.changes[address].difference(weight), change.difference(weight)), (
                f"the change of '{address}' is another one after `write` and `read`"
            )

    def test_it_recognizes_its_files_alone(self, tmp_path: Path) -> None:
        """By names and shapes; the file of a model is none of them."""
        adapter, model = self._create(), self.model()
        adapter.write(tmp_path / "a.safetensors", model)
        assert self.kind_class.recognizes(_shapes(tmp_path / "a.safetensors")), (
            "it does not recognize its own file"
        )
        weights = {name: tuple(each.shape) for name, each in model["denoiser"].state_dict().items()}
        for others in ({}, weights):
            assert not self.kind_class.recognizes(others), "it recognizes what is no adapter"

    def test_a_file_for_another_model_is_refused(self, tmp_path: Path) -> None:
        """With a CompatibilityError, whatever differs: names or shapes."""
        adapter = self._create()
        adapter.write(tmp_path / "a.safetensors", self.model())
        other_names = {"denoiser": nn.ModuleDict({"other": nn.Linear(6, 8)})}
        narrow = nn.Sequential(nn.Linear(5, 8), nn.Conv2d(3, 6, 3))
        other_shapes = {"denoiser": narrow, "conditioners.text": nn.Sequential(nn.Linear(7, 8))}
        for other in (other_names, other_shapes):
            with pytest.raises(CompatibilityError):
                self.kind_class.read(tmp_path / "a.safetensors", other)

    def test_a_damaged_file_is_one_clear_error(self, tmp_path: Path) -> None:
        """A LatelierError that names the file."""
        path = tmp_path / "a.safetensors"
        self._create().write(path, self.model())
        path.write_bytes(path.read_bytes()[:-8])
        with pytest.raises(LatelierError, match=r"a\.safetensors"):
            self.kind_class.read(path, self.model())


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
