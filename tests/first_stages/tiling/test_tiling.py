"""Encoding and decoding in tiles against the whole."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

import latelier
from latelier import default_atelier
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.autoencoder_vq import AutoencoderVQ
from latelier.first_stages.configs import AutoencoderVQConfig, IdentityConfig, TinyAutoencoderConfig
from latelier.first_stages.identity import Identity
from latelier.first_stages.tiling.tiling import TilingMode, decode_tiled, encode_tiled
from latelier.first_stages.tiny import TinyAutoencoder
from latelier.presets import read_preset

EXACT = 1e-4
"""Greatest difference, relative to the greatest value of the whole."""
FAST = 45.0
"""Least PSNR in dB, peak to peak 2."""

REDUCED = {"ch": 16, "num_groups": 8}


def published(name: str) -> Any:
    return default_atelier().first_stages.validate_config(*read_preset(name).first_stage.piece)


def autoencoder(name: str, **changes: Any) -> Any:
    config = published(name).model_copy(update=changes)
    factory = AutoencoderVQ if isinstance(config, AutoencoderVQConfig) else AutoencoderKL
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return factory(config).eval()


@pytest.fixture(scope="module")
def embedded() -> Any:
    return latelier.load("emoji-scenes", device="cpu", dtype="float32").first_stage


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def latents_of(first_stage: Any, height: int, width: int, rows: int = 1) -> Tensor:
    f = first_stage.config.downsampling
    return noise(rows, first_stage.config.latent_channels, height // f, width // f)


def error(found: Tensor, whole: Tensor) -> float:
    assert found.shape == whole.shape
    assert found.dtype == whole.dtype
    return ((found - whole).abs().max() / whole.abs().max()).item()


def psnr(found: Tensor, whole: Tensor) -> float:
    assert found.dtype == whole.dtype
    return 10 * math.log10(4 / max(((found - whole) ** 2).mean().item(), 1e-20))


def tiled_and_whole(
    first_stage: Any, images: Tensor, latents: Tensor, tile: int, mode: TilingMode
) -> Any:
    """Return the latents, in tiles and whole, then the images, in tiles and whole."""
    with torch.no_grad():
        whole = first_stage.encode(images), first_stage.decode(latents)
    encoded = encode_tiled(first_stage, images, tile=tile, mode=mode)
    return encoded, whole[0], decode_tiled(first_stage, latents, tile=tile, mode=mode), whole[1]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 40)])
@pytest.mark.parametrize("name", ["kl-f8", "vq-f4"])
def test_exact_tiles_agree_with_the_whole(name, height, width):
    first_stage = autoencoder(name, **REDUCED)
    images, latents = noise(1, 3, height, width), latents_of(first_stage, height, width)
    encoded, features, decoded, whole = tiled_and_whole(
        first_stage, images, latents, 32, mode="exact"
    )
    assert error(encoded, features) < EXACT
    assert error(decoded, whole) < EXACT


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 40)])
@pytest.mark.parametrize("name", ["kl-f8", "vq-f4"])
def test_fast_tiles_are_near_the_whole(name, height, width):
    first_stage = autoencoder(name, **REDUCED)
    images, latents = noise(1, 3, height, width), latents_of(first_stage, height, width)
    encoded, features, decoded, whole = tiled_and_whole(
        first_stage, images, latents, 32, mode="fast"
    )
    assert error(encoded, features) < 0.05
    assert psnr(decoded, whole) > FAST
    assert error(decoded, whole) > EXACT  # it is not the exact one by another name


@pytest.mark.parametrize(
    ("name", "changes", "tile"),
    [
        ("kl-f16", {}, 16),
        ("kl-f32", {"ch_mult": (1, 1, 2, 2), "attn_resolutions": (64,)}, 16),
        ("kl-f8", {"attn_type": "linear", "attn_resolutions": (64, 32)}, 16),
        ("vq-f4", {"ch_mult": (2,)}, 12),
        ("vq-f4-noattn", {"ch_mult": (1, 2), "num_res_blocks": 1}, 12),
        ("kl-f8", {"ch_mult": (1, 2), "patch_size": 4}, 16),
        ("kl-f8", {"ch_mult": (1, 2), "num_groups": None}, 16),
        ("kl-f8", {"ch_mult": (1, 2), "num_groups": None, "attn_type": "none"}, 16),
    ],
    ids=[
        "attention-at-latent-size",
        "attention-between-levels",
        "linear",
        "f1",
        "no-attention",
        "patches",
        "norms-of-positions",
        "no-statistics",
    ],
)
def test_attention_at_any_level_agrees_with_the_whole(name, changes, tile):
    first_stage = autoencoder(name, **{**REDUCED, **changes})
    images, latents = noise(1, 3, 32, 48), latents_of(first_stage, 32, 48)
    for mode, bound in (("exact", EXACT), ("fast", 0.05)):
        encoded, features, decoded, whole = tiled_and_whole(
            first_stage, images, latents, tile, mode
        )
        assert error(encoded, features) < bound
        assert error(decoded, whole) < bound


@pytest.mark.parametrize("tile", [8, 24, 64])
def test_tiles_of_any_side_agree_with_the_whole(tile):
    first_stage = autoencoder("kl-f8", **REDUCED, num_res_blocks=1)
    images, latents = noise(1, 3, 32, 56), latents_of(first_stage, 32, 56)
    encoded, features, decoded, whole = tiled_and_whole(
        first_stage, images, latents, tile, mode="exact"
    )
    assert error(encoded, features) < EXACT
    assert error(decoded, whole) < EXACT


def test_every_image_of_a_batch_has_its_own_statistics():
    first_stage = autoencoder("kl-f8", **REDUCED)
    latents = latents_of(first_stage, 64, 64, rows=3) * torch.tensor([0.1, 1, 5]).view(3, 1, 1, 1)
    with torch.no_grad():
        whole = first_stage.decode(latents)
    assert error(decode_tiled(first_stage, latents, tile=32), whole) < EXACT


def test_independent_statistics_per_tile_are_wrong():
    """What the exact statistics are for: this is the error without them."""
    first_stage = autoencoder("kl-f8", **REDUCED)
    latents = latents_of(first_stage, 64, 64)
    with torch.no_grad():
        whole, alone = first_stage.decode(latents), first_stage.decode(latents[..., :4, :4])
    assert error(alone[..., :8, :8], whole[..., :8, :8]) > 0.05


def scenes(size: int, rows: int) -> Tensor:
    data = EmojiScenes(SceneConfig(size=size))
    return torch.stack([data[index]["image"] for index in range(rows)])


def mosaic() -> Tensor:
    """A picture whose parts have nothing in common: 2 x 3 scenes, (1, 3, 128, 192)."""
    rows = scenes(64, 6).view(2, 3, 3, 64, 64)
    return rows.permute(2, 0, 3, 1, 4).reshape(1, 3, 128, 192)


@pytest.mark.parametrize("images", [scenes(128, 1), mosaic()], ids=["scene", "mosaic"])
def test_the_embedded_autoencoder_agrees_with_the_whole(images, embedded):
    with torch.no_grad():
        latents = embedded.encode(images)
    encoded, features, decoded, whole = tiled_and_whole(embedded, images, latents, 64, mode="exact")
    assert error(encoded, features) < EXACT
    assert error(decoded, whole) < EXACT
    encoded, features, decoded, whole = tiled_and_whole(embedded, images, latents, 64, mode="fast")
    assert error(encoded, features) < 0.02
    assert psnr(decoded, whole) > FAST + 10


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_tiles_leave_no_seam(mode, embedded):
    """Differences from the whole are no greater along the edges of tiles than elsewhere."""
    with torch.no_grad():
        latents = embedded.encode(mosaic())
        whole = embedded.decode(latents)
    off = (decode_tiled(embedded, latents, tile=64, mode=mode) - whole).square()
    edges = torch.zeros(128, 192, dtype=torch.bool)
    edges[63:65] = edges[:, 63:65] = edges[:, 127:129] = True
    assert off[..., edges].mean() < 2 * off[..., ~edges].mean()


@pytest.mark.parametrize(("stages", "norms"), [(4, False), (2, True)])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 88)])
def test_the_tiny_autoencoder_agrees_with_the_whole(height, width, stages, norms):
    widths, blocks = (8,) * stages, (2,) * stages
    config = TinyAutoencoderConfig(
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        num_encoder_blocks=blocks,
        num_decoder_blocks=blocks,
        scale_factor=0.5,
        use_midblock_gn=norms,
    )
    first_stage = TinyAutoencoder(config)
    images, latents = noise(2, 3, height, width), latents_of(first_stage, height, width, rows=2)
    for mode in ("exact", "fast"):
        encoded, features, decoded, whole = tiled_and_whole(first_stage, images, latents, 16, mode)
        assert error(encoded, features) < EXACT
        assert error(decoded, whole) < EXACT


def test_the_identity_works_in_tiles():
    first_stage = Identity(IdentityConfig(channels=2, scale_factor=0.5))
    images = noise(1, 2, 5, 7)
    assert torch.equal(encode_tiled(first_stage, images), images / 2)
    assert torch.equal(decode_tiled(first_stage, images), images * 2)


def test_scale_factor_and_precision_are_kept():
    first_stage = autoencoder("kl-f8", **REDUCED, scale_factor=0.18215).bfloat16()
    images = noise(1, 3, 64, 64).bfloat16()
    with torch.no_grad():
        whole = first_stage.encode(images)
    for mode in ("exact", "fast"):
        found = encode_tiled(first_stage, images, tile=32, mode=mode)
        assert error(found, whole) < 0.1


def test_concurrent_calls_share_no_state():
    first_stage = autoencoder("kl-f8", **REDUCED)
    before = {key: value.clone() for key, value in first_stage.state_dict().items()}
    latents = latents_of(first_stage, 64, 64)
    with torch.no_grad():
        whole = first_stage.decode(latents)
    before_call = latents.clone()
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(
            lambda each: decode_tiled(first_stage, each, tile=32), [latents, 2 * latents]
        )
    assert torch.equal(one, decode_tiled(first_stage, latents, tile=32))
    assert torch.equal(other, decode_tiled(first_stage, 2 * latents, tile=32))
    assert torch.equal(latents, before_call)
    assert all(torch.equal(before[key], value) for key, value in first_stage.state_dict().items())
    with torch.no_grad():
        assert torch.equal(first_stage.decode(latents), whole)


@pytest.mark.parametrize("tile", [0, 12, 100])
def test_a_tile_that_does_not_fit_is_refused(tile):
    first_stage = autoencoder("kl-f8", **REDUCED)
    nearest = {0: "8 or 16", 12: "8 or 16", 100: "96 or 104"}[tile]
    with pytest.raises(InvalidInputError, match=f"multiple of 8 .*not {tile}; nearest: {nearest}"):
        decode_tiled(first_stage, latents_of(first_stage, 16, 16), tile=tile)


def test_images_and_latents_of_a_wrong_shape_are_refused():
    first_stage = autoencoder("kl-f8", **REDUCED)
    with pytest.raises(InvalidInputError, match="multiples of 8"):
        encode_tiled(first_stage, noise(1, 3, 20, 16))
    with pytest.raises(InvalidInputError, match=r"\(B, 4, h, w\)"):
        decode_tiled(first_stage, noise(1, 3, 2, 2))


def test_a_first_stage_without_tiles_is_refused():
    class Whole:
        config = IdentityConfig()

        def encode(self, images: Tensor, /) -> Tensor:
            return images

        def decode(self, latents: Tensor, /) -> Tensor:
            return latents

    with pytest.raises(CompatibilityError, match="Whole cannot work in tiles"):
        decode_tiled(Whole(), noise(1, 3, 2, 2))


SIZES = pytest.mark.parametrize("size", [512, 1024])


def check_decoding(first_stage: Any, latents: Tensor) -> None:
    with torch.no_grad():
        whole = first_stage.decode(latents)
    assert error(decode_tiled(first_stage, latents), whole) < EXACT
    assert psnr(decode_tiled(first_stage, latents, mode="fast"), whole) > FAST


@pytest.mark.zoo
@SIZES
def test_the_published_kl_f8_agrees_with_the_whole(size):
    first_stage = autoencoder("kl-f8")
    check_decoding(first_stage, latents_of(first_stage, size, size))


@pytest.mark.zoo
@SIZES
def test_the_embedded_autoencoder_agrees_at_sizes_that_need_tiles(size, embedded):
    with torch.no_grad():
        latents = embedded.encode(scenes(size, 1))
    check_decoding(embedded, latents)
