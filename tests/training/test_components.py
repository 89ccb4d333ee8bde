"""Models that a configuration names: a wrong name is reported with the field that has it."""

from dataclasses import replace

import pytest

from latelier import default_atelier
from latelier.contracts.errors import InvalidConfigError, LatelierError
from latelier.training.components import load_base_model, load_first_stage, pin_components


@pytest.mark.parametrize("load", [load_first_stage, load_base_model])
def test_a_missing_model_names_its_field(load, tmp_path):
    with pytest.raises(LatelierError, match=r"^start_from: model 'nothing' not found") as caught:
        load("start_from", "nothing", default_atelier())
    assert caught.value.field == "start_from"
    (tmp_path / "weights.bin").write_bytes(b"")
    with pytest.raises(LatelierError, match=r"^start_from: .*weights\.bin: is a file"):
        load("start_from", str(tmp_path / "weights.bin"), default_atelier())
    with pytest.raises(LatelierError, match=r"^start_from: "):
        load("start_from", str(tmp_path), default_atelier())


def test_components_that_changed_since_the_run_began_are_named(tmp_path, tiny):
    fixed = {"first_stage": tiny.first_stage_component, "conditioners.text": None}
    fixed["conditioners.text"] = replace(tiny.conditioner_components["text"], weights_sha256="a")
    pin_components(tmp_path, True, fixed)
    pin_components(tmp_path, False, fixed)
    fixed["conditioners.text"] = replace(fixed["conditioners.text"], weights_sha256="b")
    with pytest.raises(InvalidConfigError, match=r"fixed\.json: the weights of conditioners\.text"):
        pin_components(tmp_path, False, fixed)
    pin_components(tmp_path, True, fixed)


def test_damaged_hashes_are_an_error(tmp_path):
    (tmp_path / "fixed.json").write_text("{")
    with pytest.raises(InvalidConfigError, match=r"fixed\.json: cannot be read"):
        pin_components(tmp_path, False, {})
