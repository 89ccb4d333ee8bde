import numpy as np
import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.data.emoji_scenes import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.artwork.fit import FitRange, fit_artwork
from latelier.evaluation.artwork.template import ArtworkTemplate


def _drawing(seed: int = 0, width: int = 60, height: int = 90) -> np.ndarray:
    """Return three coloured bars with a notch, in the middle of transparent pixels."""
    colors = np.random.default_rng(seed).integers(0, 256, (3, 3), dtype=np.uint8)
    pixels = np.zeros((128, 128, 4), dtype=np.uint8)
    box = pixels[10 : 10 + height, 30 : 30 + width]
    for number, part in enumerate(np.array_split(box, 3, axis=0)):
        part[..., :3] = colors[number]
    box[..., 3] = 255
    box[: height // 3, : width // 2] = 0
    return pixels


def _paste(artwork: ArtworkTemplate, placement: list[float], size: int) -> torch.Tensor:
    """Return a picture (3, size, size) of a drawing on a grey background with a gradient."""
    drawn = artwork.draw(torch.tensor([placement]), size)[0]
    background = torch.linspace(0.3, 0.7, size).expand(3, size, size)
    return 2 * (drawn[:3] + (1 - drawn[3:]) * background) - 1


@pytest.mark.parametrize("size", [64, 96, 128])
def test_the_placement_of_a_drawing_is_found(size: int) -> None:
    artwork = ArtworkTemplate(_drawing())
    placement = [0.45, 0.55, float(np.log(0.7)), float(np.radians(8))]
    fit = fit_artwork(_paste(artwork, placement, size), artwork)
    assert fit.psnr > 35
    assert fit.placement.x == pytest.approx(0.45, abs=0.01)
    assert fit.placement.y == pytest.approx(0.55, abs=0.01)
    assert fit.placement.scale == pytest.approx(0.7, rel=0.02)
    assert fit.placement.angle == pytest.approx(8, abs=1)


def test_scenes_show_their_own_drawing_and_no_other() -> None:
    names = ("cat", "pizza")
    scenes = EmojiScenes(SceneConfig(size=128, glyphs=names), seed=3)
    images = [scenes[k]["image"] for k in range(4)]
    shown = [scenes.scene(k).objects[0].glyph.name for k in range(4)]
    assert set(shown) == set(names)
    lone = SceneConfig(size=128, scale=(1.0, 1.0), rotation=(0.0, 0.0), shadow=False)
    artworks = {name: ArtworkTemplate(_cut_out(lone, name)) for name in names}
    for image, name in zip(images, shown, strict=True):
        (other,) = set(names) - {name}
        assert fit_artwork(image, artworks[name]).psnr > 28
        assert fit_artwork(image, artworks[other]).psnr < 16


def _cut_out(config: SceneConfig, name: str) -> np.ndarray:
    """Return the artwork of a glyph, cut out of a scene by the scene's mask."""
    scene = EmojiScenes(config.model_copy(update={"glyphs": (name,)}), seed=1).scene(0)
    return np.concatenate([scene.image, 255 * scene.mask()[..., None].astype(np.uint8)], axis=2)


def test_noise_and_blur_lower_the_value() -> None:
    artwork = ArtworkTemplate(_drawing())
    image = _paste(artwork, [0.5, 0.5, float(np.log(0.8)), 0.0], 64)
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    noisy = fit_artwork(image + 0.2 * noise, artwork).psnr
    assert noisy == pytest.approx(20, abs=1.5)  # 20 log10(2 / 0.2), less what is clipped


def test_the_search_stays_inside_its_range() -> None:
    artwork = ArtworkTemplate(_drawing())
    image = _paste(artwork, [0.5, 0.5, float(np.log(0.4)), float(np.radians(-25))], 64)
    fit = fit_artwork(image, artwork, FitRange(scale=(0.6, 0.9), angle=(-5, 5)))
    assert 0.599 <= fit.placement.scale <= 0.901
    assert abs(fit.placement.angle) <= 5.001
    small = fit_artwork(image, artwork, FitRange(scale=(0.3, 0.9), angle=(-30, 30)))
    assert small.psnr > fit.psnr + 10


def test_drawings_without_alpha_or_visible_pixels_are_errors() -> None:
    with pytest.raises(InvalidInputError, match="fully transparent"):
        ArtworkTemplate(np.zeros((8, 8, 4), dtype=np.uint8))
    with pytest.raises(InvalidInputError, match="H, W, 4"):
        ArtworkTemplate(np.zeros((8, 8, 3), dtype=np.uint8))


def test_a_drawing_is_found_outside_of_boxes() -> None:
    artwork = ArtworkTemplate(_drawing())
    both = _paste(artwork, [0.25, 0.5, float(np.log(0.45)), 0.0], 128)
    other = _paste(artwork, [0.75, 0.5, float(np.log(0.45)), 0.0], 128)
    both[:, :, 64:] = other[:, :, 64:]
    for taken, x in (((0.0, 0.2, 0.5, 0.8), 0.75), ((0.5, 0.2, 1.0, 0.8), 0.25)):
        fit = fit_artwork(both, artwork, FitRange(scale=(0.3, 0.6), outside=(taken,)))
        assert fit.psnr > 30
        assert fit.placement.x == pytest.approx(x, abs=0.01)


def test_the_centre_of_a_fit_stays_outside_of_boxes_while_it_is_refined() -> None:
    artwork = ArtworkTemplate(_drawing())
    image = _paste(artwork, [0.5, 0.5, float(np.log(0.6)), 0.0], 128)
    fit = fit_artwork(image, artwork, FitRange(outside=((0.46, 0.46, 0.54, 0.54),)))
    assert max(abs(fit.placement.x - 0.5), abs(fit.placement.y - 0.5)) > 0.04
