"""Weights tell which published configuration they are of."""

import pytest
import torch

from latelier.conversion.fitting import fitting_presets
from latelier.presets import read_preset


def read_shapes(place, name, registry):
    with torch.device("meta"):
        module = registry.build(*read_preset(name).parts()[place].piece)
    return {f"renamed.{k}": tuple(t.shape) for k, t in module.state_dict().items()}


def test_first_stages(built_ins):
    shapes = read_shapes("first_stage", "vq-f4-noattn", built_ins.first_stages)
    assert fitting_presets("first_stage", shapes, built_ins) == ["vq-f4-noattn", "inpainting_big"]


def test_denoisers_of_several_models(built_ins):
    shapes = read_shapes("denoiser", "ffhq256", built_ins.denoisers)
    found = fitting_presets("denoiser", shapes, built_ins)
    assert found == ["celeba256", "ffhq256", "lsun_beds256"]


@pytest.mark.parametrize("change", ["missing", "misshapen"])
def test_weights_of_none(built_ins, change):
    shapes = read_shapes("denoiser", "bsr_sr", built_ins.denoisers)
    name = next(name for name, shape in shapes.items() if len(shape) == 4)
    shape = shapes.pop(name)
    if change == "misshapen":
        shapes[name] = shape[::-1]  # as many numbers
    assert fitting_presets("denoiser", shapes, built_ins) == []


def test_parts_of_plugins_that_are_not_there_are_passed_over(built_ins, with_clip):
    shapes = read_shapes("conditioners.text", "sd-v1", with_clip.conditioners)
    assert fitting_presets("conditioners.text", shapes, built_ins) == []
    assert "sd-v1" in fitting_presets("conditioners.text", shapes, with_clip)
