"""Models that a configuration names: a wrong name is reported with the field that has it."""

from dataclasses import replace

import pytest

from latelier import default_atelier
from latelier.contracts.errors import InvalidConfigError, LatelierError, UnknownNameError
from latelier.training.components import (
    collect_sources,
    load_base_model,
    load_first_stage,
    pin_components,
)
from latelier.training.configs.components import InputSource


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


def test_a_conditioner_that_repaints_has_a_source_though_it_is_no_public_input(
    compose_tiny, tiny_changes
):
    changes = tiny_changes()
    (_, denoiser), parts = changes["denoiser"], changes["conditioners"]
    base = compose_tiny(
        denoiser=("unet", {**denoiser, "vectors": {}, "spatial": {"hole": 5}}),
        conditioners={"text": parts["text"], "hole": ("mask", {"latent_channels": 4})},
        inputs={"prompt": "text"},
    )
    source = InputSource(source="image")
    assert collect_sources(base, "tiny", {"hole": source}) == {"hole": source}
    with pytest.raises(UnknownNameError, match=r"has no input 'holes'.*'hole'"):
        collect_sources(base, "tiny", {"holes": source})
