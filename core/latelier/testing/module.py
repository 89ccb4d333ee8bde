"""What conditioners, first stages and denoisers have in common: a config, weights, no memory."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, ClassVar

import pytest
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from latelier.checkpoints.component import Component, load_component, save_component
from latelier.contracts.errors import LatelierError
from latelier.contracts.frozen import validate
from latelier.testing.audit import Deeds, watched
from latelier.testing.component import ComponentContract
from latelier.testing.placement import META, weights_dtype
from latelier.testing.probe import torch_after_importing
from latelier.testing.randomness import GlobalState, seeded

CLOSE = 1e-5
"""How near the numbers of two runs must be that are not of the same bits."""

_READS = "Tensor.item() cannot be called on meta tensors"

ROUNDS = 4
"""How often threads are set against each other."""


class ModuleContract(ComponentContract):
    """Base of the contracts of what is built from a config.

    config: the fields to build it with; small, so that the tests are fast.
    apart: names of weights that are trained by a loss of their own, such as a codebook.

    Every check builds the component anew with the same seed, so that one fault shows in one check.
    Weights that start at zero are given other values, as training would.
    """

    config: ClassVar[dict[str, Any]] = {}
    apart: ClassVar[tuple[str, ...]] = ()

    def equip(self, component: Any, /) -> None:
        """Give a new component what it needs beside its config, such as a vocabulary."""

    def given(self, component: Any, rows: Sequence[int], /) -> dict[str, Tensor]:
        """Return what the component is given for these rows of the test's data, on the CPU."""
        raise NotImplementedError

    def made(self, component: Any, given: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return what the component makes of that, by name."""
        raise NotImplementedError

    def everything(self, component: Any, given: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return all that it can make, what needs no input too."""
        return self.made(component, given)

    @property
    def rows(self) -> list[int]:
        """All rows of the test's data."""
        return [0, 1]

    def build(self) -> Any:
        """Return the component, new, with the same random weights each time."""
        with seeded():
            component = self.registry.build(self.component, self.config)
            if isinstance(component, nn.Module):
                _fill_zeros(component)
                component.eval()
            self.equip(component)
        return component

    def run(self, component: Any, rows: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Return what a component makes of rows of the test's data."""
        rows = self.rows if rows is None else rows
        with torch.no_grad(), seeded():
            return self.made(component, self.given(component, rows))

    # ------------------------------------------------------------------ what it says of itself

    def test_its_config_survives_a_round_trip(self) -> None:
        """A pipeline stores the config as JSON: it comes back as the same value."""
        model = self.registry.config_class(self.component)
        config = self.registry.validate_config(self.component, self.config)
        check_round_trip(model, config, "config")

    def test_its_config_refuses_what_it_does_not_know(self) -> None:
        """A misspelt field is an error, and not a default that nobody asked for."""
        model = self.registry.config_class(self.component)
        check_refuses(model, dict(self.config), "config")

    def test_its_config_is_described(self) -> None:
        """Every field says what it means, in its JSON schema."""
        check_described(self.registry.config_class(self.component), "config")

    def test_describing_it_does_not_import_torch(self) -> None:
        """Schemas, forms, help and validation load the config's and the input's modules alone."""
        texts = [text for text in (self.spec.config, self.spec.input) if text]
        modules = sorted({text.partition(":")[0] for text in texts})
        assert not torch_after_importing(*modules), (
            f"importing {' or '.join(modules)} imports torch: keep config and input in modules "
            "apart from the one that computes, and import nothing heavy in the package's __init__"
        )

    # ------------------------------------------------------------------------- what it computes

    def test_its_numbers_are_finite(self) -> None:
        """NaN and infinity are passed on by everything, also where a mask hides them."""
        component = self.build()
        with torch.no_grad(), seeded():
            made = self.everything(component, self.given(component, self.rows))
        bad = [name for name, each in made.items() if not each.isfinite().all()]
        assert not bad, f"{', '.join(bad)} has numbers that are not finite"

    def test_the_same_bits_twice(self) -> None:
        """The same weights and the same input give the same bits: pictures can be made again."""
        given = self.given(self.build(), self.rows)
        runs = []
        for _ in range(2):
            component = self.build()
            with torch.no_grad(), seeded():
                runs.append(self.everything(component, given))
        for name, first in runs[0].items():
            assert same_bits(first, runs[1][name]), (
                f"{name} differs between two runs on one input: it draws random numbers, or "
                "depends on time or on the order of a set"
            )

    def test_nothing_is_kept_between_calls(self) -> None:
        """Rows A, then B, then A again: A is as before. One component serves many requests."""
        component = self.build()
        first = self.run(component)
        self.run(component, self.rows[1:])
        again = self.run(component)
        for name, value in first.items():
            assert is_close(again[name], value), (
                f"{name} is another after a call with other rows: keep nothing on self between "
                "calls, and change no tensor in place"
            )

    def test_threads_do_not_disturb_each_other(self) -> None:
        """Two threads use one component at once, and each gets what it gets alone."""
        halves = [self.rows, self.rows[1:]]
        with torch.no_grad():
            alone = [self._in_thread(self.build(), rows) for rows in halves]
            for _ in range(ROUNDS):
                component, start = self.build(), Barrier(2)
                with ThreadPoolExecutor(2) as pool:
                    tasks = [
                        pool.submit(self._in_thread, component, rows, start) for rows in halves
                    ]
                for task, expected in zip(tasks, alone, strict=True):
                    for name, value in task.result().items():
                        assert is_close(value, expected[name]), (
                            f"{name} is wrong where two threads use one component: pass values "
                            "as arguments, and keep none on self or in the module"
                        )

    def test_the_global_random_state_is_left_alone(self) -> None:
        """Nothing is drawn from the random numbers that all share, nor are they set."""
        runs = []
        for seed in (1, 2):
            component = self.build()
            with torch.no_grad(), seeded(seed):
                state = GlobalState()
                runs.append(self.everything(component, self.given(component, self.rows)))
                changed = state.changed()
            assert not changed, (
                f"the global random state of {', '.join(changed)} is changed: draw from a "
                "torch.Generator or numpy Generator of your own"
            )
        for name, value in runs[0].items():
            assert is_close(value, runs[1][name]), f"{name} depends on the global random state"

    def test_it_is_differentiable(self) -> None:
        """Training reaches its weights, where it has any that are trained."""
        component = self.build()
        weights = trained(component)
        if not weights:
            return
        with torch.enable_grad(), seeded():
            made = self.everything(component, self.given(component, self.rows))
        total = torch.stack([_squared(each) for each in made.values()]).sum()
        if total.requires_grad:
            total.backward()  # type: ignore[no-untyped-call]
        missed = [name for name, each in weights.items() if each.grad is None]
        missed = [name for name in missed if name not in self.apart]
        assert not missed, (
            f"no gradient reaches {', '.join(missed)}: no `no_grad` or `detach` in forward; what "
            "is not to be trained has requires_grad=False"
        )
        bad = [name for name, each in weights.items() if not _finite(each.grad)]
        assert not bad, f"the gradient of {', '.join(bad)} is not finite"

    def test_it_works_on_the_device_of_its_weights(self) -> None:
        """Moved to another device, what it makes is there."""
        component = self.build()
        given = self.given(component, self.rows)
        self.check_device(component, given)

    def check_device(self, component: Any, given: Mapping[str, Tensor]) -> None:
        """Check where the tensors are that a component makes on the device without numbers."""
        if isinstance(component, nn.Module):
            component.to(META)
        given = {name: tensor.to(META) for name, tensor in given.items()}
        try:
            with torch.no_grad():
                made = self.everything(component, given)
        except (RuntimeError, NotImplementedError) as error:
            if _READS in str(error):
                pytest.skip("it takes decisions by numbers, of which the device 'meta' has none")
            pytest.fail(
                "on the device 'meta' it fails: make new tensors with device=weight.device "
                f"({type(error).__name__}: {error})"
            )
        elsewhere = [name for name, each in made.items() if each.device != META]
        assert not elsewhere, (
            f"{', '.join(elsewhere)} is not on the device of the weights: make it with "
            "device=weight.device, or keep it in a buffer"
        )

    def test_it_works_in_the_precision_of_its_weights(self) -> None:
        """In bfloat16 what it makes is bfloat16, as is what it makes of nothing."""
        component = self.build()
        if weights_dtype(component) is None:
            return
        given = self.given(component, self.rows)
        component.to(torch.bfloat16)
        with torch.no_grad(), seeded():
            made = self.everything(component, self.in_precision(given, torch.bfloat16))
        wrong = {
            name: str(each.dtype)
            for name, each in made.items()
            if each.is_floating_point() and each.dtype != torch.bfloat16
        }
        assert not wrong, (
            f"with weights in bfloat16 these are not: {wrong}; cast what is given to weight.dtype, "
            "and make new tensors with dtype=weight.dtype"
        )

    def in_precision(self, given: Mapping[str, Tensor], dtype: torch.dtype, /) -> dict[str, Tensor]:
        """Return what a host gives a component of that precision."""
        return {
            name: each.to(dtype) if each.is_floating_point() else each
            for name, each in given.items()
        }

    # --------------------------------------------------------------------- what it does besides

    def test_its_weights_survive_a_file(self, tmp_path: Path) -> None:
        """Stored as safetensors with its assets and taken back, it makes the same."""
        component = self.build()
        expected = self.run(component)
        spec = self.spec
        try:
            save_component(tmp_path, Component(self.kind, spec.id, spec.version, component))
            restored = load_component(tmp_path, self.kind, self.atelier()).module
            made = self.run(restored)
        except (LatelierError, RuntimeError, ValueError) as error:
            pytest.fail(
                f"it cannot be taken back from its file: {type(error).__name__}: {error}. Tensors "
                "belong in parameters and buffers, other files in assets() and set_assets()"
            )
        again = self.run(self.build())
        for name, value in expected.items():
            alike = same_bits if same_bits(again[name], value) else is_close
            assert alike(made[name], value), (
                f"{name} is another after storing: keep tensors in parameters and buffers, what "
                "else it learnt in assets(), and all other choices in the config"
            )

    @pytest.fixture
    def deeds(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deeds:
        """What it does to the machine as it is built and used, at home in an empty folder."""
        home, folder = tmp_path / "home", tmp_path / "folder"
        home.mkdir()
        folder.mkdir()
        for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            monkeypatch.setenv(name, str(home))
        monkeypatch.setenv("TMPDIR", str(folder))
        monkeypatch.setattr("tempfile.tempdir", None)
        monkeypatch.chdir(home)
        with watched(folder) as deeds, torch.no_grad():
            component = self.build()
            self.everything(component, self.given(component, self.rows))
        return deeds

    def test_it_opens_no_connection(self, deeds: Deeds) -> None:
        """What it needs is installed with it or given to it: nothing is fetched."""
        assert not deeds.connections, (
            f"it uses the network: {'; '.join(deeds.connections)}. Ship the files in the wheel, or "
            "take their path in the config"
        )

    def test_it_starts_no_process(self, deeds: Deeds) -> None:
        """Hosts run it among many threads, where new processes are not safe."""
        assert not deeds.processes, f"it starts a process: {'; '.join(deeds.processes)}"

    def test_it_writes_no_files(self, deeds: Deeds) -> None:
        """It may write temporary files, and no others: no caches at home, no logs."""
        assert not deeds.writes, (
            f"it writes {', '.join(sorted(set(deeds.writes)))}: keep what it learns in assets(), "
            "and temporary files in tempfile's folder"
        )

    def test_what_it_costs(self, record_property: Callable[[str, object], None]) -> None:
        """Report parameters, milliseconds and bytes; never a failure."""
        component = self.build()
        given = self.given(component, self.rows)
        with torch.no_grad(), seeded():
            made = self.made(component, given)
            begun = time.perf_counter()
            self.made(component, given)
        milliseconds = 1000 * (time.perf_counter() - begun)
        weights = component.parameters() if isinstance(component, nn.Module) else ()
        record_property("latelier_component", self.spec.id)
        record_property("latelier_parameters", sum(each.numel() for each in weights))
        record_property("latelier_milliseconds", round(milliseconds, 2))
        record_property("latelier_bytes", sum(each.nbytes for each in made.values()))

    def _in_thread(
        self, component: Any, rows: Sequence[int], start: Barrier | None = None
    ) -> dict[str, Tensor]:
        """Return what a component makes of rows, begun when all threads are ready."""
        if start is not None:
            start.wait(timeout=60)
        with torch.no_grad():
            return self.made(component, self.given(component, rows))


def check_round_trip(model: type[BaseModel], value: BaseModel, what: str) -> None:
    """Check that a value survives being stored, and that its JSON schema is one."""
    schema = model.model_json_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert schema.get("type") == "object", f"the schema of the {what} is not that of an object"
    assert model.model_validate(value.model_dump()) == value, (
        f"the {what} is another after model_dump and model_validate"
    )
    assert model.model_validate_json(value.model_dump_json()) == value, (
        f"the {what} is another after being stored as JSON"
    )


def check_refuses(model: type[BaseModel], values: Mapping[str, Any], what: str) -> None:
    """Check that a model takes no field that it does not have, and cannot be changed."""
    assert model.model_config.get("frozen"), (
        f"the {what} can be changed: derive it from latelier's base class, which is frozen"
    )
    refused: LatelierError | None = None
    try:
        validate(model, {**values, "no_such_field": 1}, what)
    except LatelierError as error:
        refused = error
    assert refused, f"the {what} takes a field that it does not have: keep extra='forbid'"
    assert "no_such_field" in str(refused), f"the {what}'s error names no field: {refused}"


def check_described(model: type[BaseModel], what: str) -> None:
    """Check that every field has a description."""
    mute = [name for name, field in model.model_fields.items() if not field.description]
    assert not mute, f"the {what}'s fields {', '.join(mute)} need Field(description=...)"


def trained(component: Any) -> dict[str, nn.Parameter]:
    """Return the weights that are trained, by name."""
    weights = component.named_parameters() if isinstance(component, nn.Module) else ()
    return {name: each for name, each in weights if each.requires_grad}


def is_close(a: Tensor, b: Tensor) -> bool:
    """Tell whether two tensors are of one shape and their numbers near."""
    return a.shape == b.shape and torch.allclose(
        a.double(), b.double(), CLOSE, CLOSE, equal_nan=True
    )


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Tell whether two tensors are of one shape and the same numbers."""
    if a.shape != b.shape:
        return False
    return torch.allclose(a.double(), b.double(), rtol=0, atol=0, equal_nan=True)


def _squared(made: Tensor) -> Tensor:
    """Return the sum of squares of what is made; 0 of masks."""
    return made.square().sum() if made.is_floating_point() else torch.zeros(())


def _finite(tensor: Tensor | None) -> bool:
    return tensor is None or bool(tensor.isfinite().all())


def _fill_zeros(module: nn.Module) -> None:
    """Give weights that are all zero small random values, in place."""
    with torch.no_grad():
        for weights in module.parameters():
            if not weights.is_meta and not weights.any():
                weights.normal_(std=0.05)
