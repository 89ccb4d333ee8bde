"""Every published model: its YAML and its names and shapes at full width, without its numbers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.checkpoints.importers.building import build_part, kind_of
from latelier.checkpoints.importers.compvis.importer import CompVis
from latelier.diffusion.processes.kinds import process_from
from latelier.pipeline.request import Defaults
from latelier.presets import preset_names, read_preset

NAMES = sorted(path.stem for path in (Path(__file__).parent / "published").glob("*.yaml"))
MODELS = [name for name in NAMES if read_preset(name).denoiser is not None]
FIRST_STAGES = [name for name in NAMES if name not in MODELS]
SDXL = {"sdxl-base", "sdxl-inpainting", "sdxl-refiner"}
OTHERWISE_PUBLISHED = {"ldm1-cin256", "dit-xl-2-256", "dit-xl-2-512", *SDXL}
"""Not at all, or in another layout."""

MEASURED = 0.25
"""Scale factor in the checkpoints that carry one of their own (see `compvis_checkpoint`)."""


def empty(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape, device="meta")


def test_there_is_a_yaml_for_every_preset():
    assert set(NAMES) == set(preset_names()) - OTHERWISE_PUBLISHED


@pytest.mark.parametrize("name", MODELS)
def test_a_published_model_is_imported_like_its_preset(
    compvis_checkpoint, published_yaml, given, with_clip, name
):
    preset, config = read_preset(name), published_yaml(name)
    source = given(config, compvis_checkpoint(config, empty))
    assert CompVis().recognizes(source)
    found = CompVis().read(source)
    assert found.parts.keys() == preset.parts().keys()
    for place, part in preset.parts().items():
        component = build_part(place, found.parts[place], with_clip)
        wanted: Any = with_clip.registries[kind_of(place)].validate_config(*part.piece)
        if place == "first_stage" and config["model"]["params"].get("scale_by_std"):
            wanted = wanted.model_copy(update={"scale_factor": MEASURED})
        assert component.config == wanted, place
        assert sum(p.numel() for p in component.module.parameters()) == part.parameters, place
    assert process_from(found.process) == process_from(preset.process)
    assert Defaults.model_validate(found.defaults) == Defaults.model_validate(preset.defaults)
    assert found.inputs.items() <= (preset.inputs or {}).items()


@pytest.mark.parametrize("name", FIRST_STAGES)
def test_a_published_first_stage_is_imported_like_its_preset(
    compvis_autoencoder, published_yaml, given, built_ins, name
):
    part, config = read_preset(name).first_stage, published_yaml(name)
    shapes = compvis_autoencoder(config["model"]["params"])
    tensors = {key: empty(shape) for key, shape in shapes.items()}
    tensors["loss.discriminator.main.0.weight"] = empty((64, 3, 4, 4))
    tensors["loss.logvar"] = empty(())
    found = CompVis().read(given(config, tensors))
    assert list(found.parts) == ["first_stage"]
    component = build_part("first_stage", found.parts["first_stage"], built_ins)
    assert component.config == built_ins.first_stages.validate_config(*part.piece)
    assert sum(p.numel() for p in component.module.parameters()) == part.parameters
