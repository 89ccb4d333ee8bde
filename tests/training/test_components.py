"""Models that a configuration names: a wrong name is reported with the field that has it."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from latelier import default_atelier
from latelier.checkpoints.component import new_component
from latelier.contracts.errors import InvalidConfigError, LatelierError, UnknownNameError
from latelier.training.components import (
    collect_sources,
    copy_weights,
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


def test_weights_are_copied_into_another_configuration_where_they_fit(tiny):
    source = tiny.denoiser_component
    config = {**source.config.model_dump(), "num_groups": 8}
    component = new_component("denoiser", source.id, config, default_atelier())
    copy_weights("denoiser", component, source, "mine")
    copied = component.module.state_dict()
    for name, weight in source.module.state_dict().items():
        assert torch.equal(copied[name], weight)


def test_weights_beyond_those_of_the_source_stay_as_they_were_made(caplog):
    config = {
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 8,
        "num_groups": 4,
        "hidden_size": 16,
        "depth": 1,
        "num_heads": 2,
        "spatial": {"shown": 4},
    }
    make = partial(new_component, "denoiser", "uvit", atelier=default_atelier())
    source, component = make(config), make({**config, "copies": ["shown"]})
    copy_weights("denoiser", component, source, "mine")
    assert not component.module.gates.weight.any()
    assert caplog.messages == [
        "start_from: the denoiser of 'mine' has other values of copies; weights that begin anew: "
        "gates.weight, gates.bias"
    ]
    assert torch.equal(component.module.to_tokens.weight, source.module.to_tokens.weight)
    with pytest.raises(
        InvalidConfigError, match=r"a weight 'gates\.weight' .*, and here it is none"
    ):
        copy_weights("denoiser", source, component, "mine")


def test_weights_that_do_not_fit_are_named(tiny):
    source = tiny.denoiser_component
    config = {**source.config.model_dump(), "model_channels": 32}
    component = new_component("denoiser", source.id, config, default_atelier())
    message = r"^start_from: the denoiser of 'mine' does not fit .* a weight '.*' \(.*\), and here"
    with pytest.raises(InvalidConfigError, match=message):
        copy_weights("denoiser", component, source, "mine")
    with pytest.raises(InvalidConfigError, match=r"is 'latelier/unet', not 'latelier/uvit'"):
        copy_weights("denoiser", replace(component, id="latelier/uvit"), source, "mine")


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
