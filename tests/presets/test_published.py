"""Every preset of the package, on the meta device: it composes, and its count is right."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from latelier.checkpoints.importers.building import kind_of
from latelier.diffusion.processes.kinds import process_from
from latelier.pipeline.compatibility import check_composition
from latelier.pipeline.request import Defaults
from latelier.presets import preset_names, read_preset

ROW = r"^\| `([\w-]+)` (\|.*?)((?:\| [\d.]+ M )+.*)$"
TABLE = (Path(__file__).parents[2] / "docs" / "models.md").read_text()


UNETS = {
    "celeba256": 274_056_163,
    "ffhq256": 274_056_163,
    "lsun_beds256": 274_056_163,
    "lsun_churches256": 294_966_916,
    "cin256": 394_984_196,
    "cin256-v2": 400_920_579,
    "text2img256": 403_623_939,
    "text2img-large": 872_300_484,
    "layout2img-openimages256": 246_277_379,
    "semantic_synthesis256": 215_229_315,
    "semantic_synthesis512": 215_229_315,
    "bsr_sr": 113_622_563,
    "inpainting_big": 387_245_827,
    "rdm768": 1_335_480_400,
    "sd-v1": 859_520_964,
    "sd-v1-inpainting": 859_535_364,
    "sd-v2": 865_910_724,
    "sd-v2-base": 865_910_724,
    "sd-v2-inpainting": 865_925_124,
    "sdxl-base": 2_567_463_684,
    "sdxl-inpainting": 2_567_478_084,
    "sdxl-refiner": 2_259_526_660,
    "ldm1-cin256": 396_835_971,  # the paper: 396 M
    "dit-xl-2-256": 675_129_632 - 1001 * 1152 - 256 * 1152,  # without its classes and positions
    "dit-xl-2-512": 675_129_632 - 1001 * 1152 - 256 * 1152,
}
"""Totals of the published denoisers, by arithmetic from their YAML files."""

ENCODERS = {
    "text2img256": (186_154_682, 640, 30522),
    "text2img-large": (581_994_042, 1280, 30522),
    "layout2img-openimages256": (58_858_496, 512, 8192),
}
"""Totals of the published encoders with the logits that nothing uses; width and vocabulary."""


@pytest.fixture(params=preset_names())
def preset(request):
    return read_preset(request.param)


def test_the_parameter_count_of_each_part_matches(preset, with_clip):
    for place, part in preset.parts().items():
        with torch.device("meta"):
            module = with_clip.registries[kind_of(place)].build(*part.piece)
        assert sum(p.numel() for p in module.parameters()) == part.parameters, place


def test_total_parameter_counts_match_the_publications():
    models = {name: read_preset(name) for name in preset_names()}
    found = {name: each.denoiser.parameters for name, each in models.items() if each.denoiser}
    assert found == UNETS
    for name, (total, width, vocabulary) in ENCODERS.items():
        (encoder,) = models[name].conditioners.values()
        assert encoder.parameters == total - vocabulary * (width + 1)


def test_the_parts_are_compatible(preset, with_clip):
    if preset.denoiser is None:
        return
    configs = {
        place: with_clip.registries[kind_of(place)].validate_config(*part.piece)
        for place, part in preset.parts().items()
    }
    conditioners = {name: configs[f"conditioners.{name}"] for name in preset.conditioners}
    check_composition(configs["first_stage"], configs["denoiser"], conditioners)
    process_from(preset.process)
    multiple = configs["first_stage"].downsampling * configs["denoiser"].size_multiple
    assert all(side % multiple == 0 for side in Defaults.model_validate(preset.defaults).size)


def test_every_preset_has_a_description(preset):
    assert re.fullmatch(r"[A-Z].*\.", preset.description)
    assert preset.task


def test_the_table_of_models_matches_the_presets():
    rows = {row[0]: row[1:] for row in re.findall(ROW, TABLE, re.MULTILINE)}
    assert rows.keys() == set(preset_names())
    for name, (middle, counts) in rows.items():
        preset = read_preset(name)
        parts = [part.parameters or 0 for part in preset.parts().values()]
        shown = parts if preset.denoiser is None else [parts[1], sum(parts[2:])]
        millions = [f"{count / 1e6:.1f} M" for count in shown if count >= 1e5]
        assert re.findall(r"[\d.]+ M", counts) == millions, name
        assert preset.denoiser is None or f"| {preset.task} |" in middle, name


def test_reading_presets_imports_no_torch():
    code = (
        "import sys\n"
        "from latelier.presets import preset_names, read_preset\n"
        "[read_preset(name) for name in preset_names()]\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
