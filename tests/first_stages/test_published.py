"""The nine published first stages, on the meta device: sizes, keys and shapes."""

from typing import Any

import pytest
import torch
from torch import nn

from latelier import default_atelier
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.autoencoder_vq import AutoencoderVQ
from latelier.first_stages.configs import AutoencoderVQConfig
from latelier.presets import preset_names, read_preset

# name: (f, parameters, of the encoder, of the decoder in millions)
SIZES = {
    "kl-f4": (4, 55_312_063, 22.35, 32.96),
    "kl-f8": (8, 83_653_863, 34.16, 49.49),
    "kl-f16": (16, 69_610_963, 28.27, 41.34),
    "kl-f32": (32, 103_880_131, 42.61, 61.24),
    "vq-f4": (4, 55_322_782, 22.34, 32.96),
    "vq-f4-noattn": (4, 53_219_486, 21.29, 31.91),
    "vq-f8": (8, 67_717_295, 27.40, 40.25),
    "vq-f8-n256": (8, 67_652_783, 27.40, 40.25),
    "vq-f16": (16, 69_593_371, 28.16, 41.31),
}

# name: multiples of 128 channels, levels with attention, z, codes
LAYOUTS: dict[str, tuple[tuple[int, ...], tuple[int, ...], int, int | None]] = {
    "kl-f4": ((1, 2, 4), (), 3, None),
    "kl-f8": ((1, 2, 4, 4), (), 4, None),
    "kl-f16": ((1, 1, 2, 2, 4), (4,), 16, None),
    "kl-f32": ((1, 1, 2, 2, 4, 4), (4, 5), 64, None),
    "vq-f4": ((1, 2, 4), (), 3, 8192),
    "vq-f4-noattn": ((1, 2, 4), (), 3, 8192),
    "vq-f8": ((1, 2, 2, 4), (3,), 4, 16384),
    "vq-f8-n256": ((1, 2, 2, 4), (3,), 4, 256),
    "vq-f16": ((1, 1, 2, 2, 4), (4,), 8, 16384),
}

Shapes = dict[str, tuple[int, ...]]


def published(name: str) -> Any:
    return default_atelier().first_stages.validate_config(*read_preset(name).first_stage.piece)


def built(name: str) -> nn.Module:
    config = published(name)
    factory = AutoencoderVQ if isinstance(config, AutoencoderVQConfig) else AutoencoderKL
    with torch.device("meta"):
        return factory(config)


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def conv(key: str, into: int, out: int, side: int) -> Shapes:
    return {f"{key}.weight": (out, into, side, side), f"{key}.bias": (out,)}


def norm(key: str, channels: int) -> Shapes:
    return {f"{key}.weight": (channels,), f"{key}.bias": (channels,)}


def resnet(key: str, into: int, out: int) -> Shapes:
    shapes = norm(f"{key}.norm1", into) | conv(f"{key}.conv1", into, out, 3)
    shapes |= norm(f"{key}.norm2", out) | conv(f"{key}.conv2", out, out, 3)
    return shapes if into == out else shapes | conv(f"{key}.nin_shortcut", into, out, 1)


def attention(key: str, channels: int) -> Shapes:
    shapes = norm(f"{key}.norm", channels)
    for name in ("q", "k", "v", "proj_out"):
        shapes |= conv(f"{key}.{name}", channels, channels, 1)
    return shapes


def published_layout(
    mult: tuple[int, ...], attends: tuple[int, ...], z: int, codes: int | None, middle: bool
) -> Shapes:
    """The layout of a published file, from its description: ch 128, two blocks a level."""
    widths, last = [128 * m for m in mult], len(mult) - 1
    moments = 2 * z if codes is None else z
    shapes: Shapes = {}
    for half, into, out in (("encoder", 3, moments), ("decoder", z, 3)):
        ends = (128, widths[-1]) if half == "encoder" else (widths[-1], widths[0])
        shapes |= conv(f"{half}.conv_in", into, ends[0], 3)
        shapes |= norm(f"{half}.norm_out", ends[1]) | conv(f"{half}.conv_out", ends[1], out, 3)
        shapes |= resnet(f"{half}.mid.block_1", widths[-1], widths[-1])
        shapes |= resnet(f"{half}.mid.block_2", widths[-1], widths[-1])
        if middle:
            shapes |= attention(f"{half}.mid.attn_1", widths[-1])
    for level, width in enumerate(widths):
        below = widths[level - 1] if level else 128
        above = widths[level + 1] if level < last else widths[-1]
        for side, blocks, first in (("encoder.down", 2, below), ("decoder.up", 3, above)):
            for block in range(blocks):
                into = width if block else first
                shapes |= resnet(f"{side}.{level}.block.{block}", into, width)
                if level in attends:
                    shapes |= attention(f"{side}.{level}.attn.{block}", width)
        if level < last:
            shapes |= conv(f"encoder.down.{level}.downsample.conv", width, width, 3)
        if level > 0:
            shapes |= conv(f"decoder.up.{level}.upsample.conv", width, width, 3)
    shapes |= conv("quant_conv", moments, moments, 1) | conv("post_quant_conv", z, z, 1)
    return shapes if codes is None else shapes | {"quantize.embedding.weight": (codes, z)}


def test_all_nine_published_first_stages_have_presets():
    alone = {name for name in preset_names() if read_preset(name).denoiser is None}
    assert alone == set(SIZES) == set(LAYOUTS)


@pytest.mark.parametrize("name", SIZES)
def test_parameters_are_those_of_the_published_model(name):
    f, total, encoder, decoder = SIZES[name]
    model = built(name)
    assert parameters(model) == total
    assert round(parameters(model.encoder) / 1e6, 2) == encoder
    assert round(parameters(model.decoder) / 1e6, 2) == decoder
    assert (published(name).downsampling, published(name).latent_channels) == (f, LAYOUTS[name][2])


@pytest.mark.parametrize("name", LAYOUTS)
def test_keys_and_shapes_are_those_of_the_published_checkpoint(name):
    expected = published_layout(*LAYOUTS[name], middle=name != "vq-f4-noattn")
    found = {key: tuple(tensor.shape) for key, tensor in built(name).state_dict().items()}
    assert found == expected
