"""Weights tell which published configuration they are of."""

import pytest
import torch

from latelier.conversion.fitting import find_presets
from latelier.presets import read_preset


def shapes_at(place, name, registry):
    with torch.device("meta"):
        module = registry.build(*read_preset(name).parts()[place].piece)
    return {f"renamed.{k}": tuple(t.shape) for k, t in module.state_dict().items()}


def test_presets_of_a_first_stage_are_found(built_ins):
    shapes = shapes_at("first_stage", "vq-f4-noattn", built_ins.first_stages)
    assert find_presets("first_stage", shapes, built_ins) == ["vq-f4-noattn", "inpainting_big"]


def test_all_presets_that_share_a_denoiser_are_found(built_ins):
    shapes = shapes_at("denoiser", "ffhq256", built_ins.denoisers)
    found = find_presets("denoiser", shapes, built_ins)
    assert found == ["celeba256", "ffhq256", "lsun_beds256"]


@pytest.mark.parametrize("change", ["missing", "misshapen"])
def test_weights_that_fit_no_preset(built_ins, change):
    shapes = shapes_at("denoiser", "bsr_sr", built_ins.denoisers)
    name = next(name for name, shape in shapes.items() if len(shape) == 4)
    shape = shapes.pop(name)
    if change == "misshapen":
        shapes[name] = shape[::-1]  # as many numbers
    assert find_presets("denoiser", shapes, built_ins) == []


def test_parts_of_missing_plugins_are_skipped(built_ins, with_clip):
    shapes = shapes_at("conditioners.text", "sd-v1", with_clip.conditioners)
    assert find_presets("conditioners.text", shapes, built_ins) == []
    assert "sd-v1" in find_presets("conditioners.text", shapes, with_clip)
