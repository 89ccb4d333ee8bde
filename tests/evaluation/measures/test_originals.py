"""Measures that compare each picture with its original."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.contracts.errors import InvalidInputError, ModelFileError
from latelier.contracts.images.pixels import normalize
from latelier.contracts.measures import EvaluatedPictures
from latelier.evaluation.measures import lpips as lpips_module
from latelier.evaluation.measures.configs import LpipsConfig, NoOptions
from latelier.evaluation.measures.lpips import LpipsDistance
from latelier.evaluation.measures.masked_region import MaskedRegion
from latelier.evaluation.measures.psnr import Psnr
from latelier.evaluation.measures.scene_distance import SceneDistance
from latelier.evaluation.measures.ssim import Ssim
from latelier.metrics.features import load_scene_features
from latelier.metrics.psnr import psnr
from latelier.metrics.ssim import ssim


def test_psnr_and_ssim_are_the_means_of_pictures(measure_pictures, levels) -> None:
    images, originals = levels(seed=0), levels(seed=1)
    figure = measure_pictures(Psnr(NoOptions()), images, originals)["psnr"]
    expected = psnr(normalize(images), normalize(originals))
    assert figure.value == pytest.approx(float(expected.mean()))
    assert figure.low < figure.value < figure.high
    assert (figure.unit, figure.better, figure.note) == ("dB", "higher", "")
    similar = measure_pictures(Ssim(NoOptions()), images, originals)["ssim"]
    assert similar.value == pytest.approx(
        float(ssim(normalize(images), normalize(originals)).mean()), rel=1e-6
    )


@pytest.mark.parametrize("kind", [Psnr, Ssim, MaskedRegion, SceneDistance])
def test_a_row_depends_on_its_picture_alone(levels, kind) -> None:
    images, originals = levels(5, 32), levels(5, 32, 1)
    samples = [{"mask": np.eye(32, k=k)} for k in range(5)]
    measure = kind(NoOptions())
    whole = measure.record(EvaluatedPictures(images, samples, originals))
    order = [3, 0, 4]
    some = measure.record(
        EvaluatedPictures(images[order], [samples[k] for k in order], originals[order])
    )
    for name, column in whole.items():
        torch.testing.assert_close(some[name], column[order], rtol=1e-6, atol=0)


def test_equal_pictures_count_as_100_db_and_are_noted(measure_pictures, levels) -> None:
    images = levels(4)
    originals = images.clone()
    originals[0] ^= 255
    figure = measure_pictures(Psnr(NoOptions()), images, originals)["psnr"]
    own = float(psnr(normalize(images[:1]), normalize(originals[:1])))
    assert figure.value == pytest.approx((300 + own) / 4)
    assert figure.note == "PSNR: 3 equal to the original count as 100 dB"


def test_the_scene_distance_is_not_called_lpips(measure_pictures, levels) -> None:
    images, originals = levels(3, 32), levels(3, 32, 1)
    figure = measure_pictures(SceneDistance(NoOptions()), images, originals)["scene_distance"]
    with torch.no_grad():
        expected = load_scene_features()(normalize(images), normalize(originals)).mean()
    assert figure.value == pytest.approx(float(expected), rel=1e-5)
    assert "not LPIPS" in figure.title
    same = measure_pictures(SceneDistance(NoOptions()), images, images)["scene_distance"]
    assert same.value == 0


def test_lpips_reads_its_files_and_averages(measure_pictures, levels, monkeypatch) -> None:
    opened = []

    class Difference(torch.nn.Module):
        def forward(self, images, references):
            return (images - references).abs().mean((1, 2, 3))

    def load(paths):
        opened.extend(str(path) for path in paths)
        return Difference()

    monkeypatch.setattr(lpips_module, "load_lpips", load)
    monkeypatch.setattr(lpips_module, "find_local", lambda name: f"/found/{name}")
    measure = LpipsDistance(LpipsConfig(weights=("vgg.pth", "linear.pth")))
    assert opened == ["/found/vgg.pth", "/found/linear.pth"]
    images, originals = levels(seed=0), levels(seed=1)
    figure = measure_pictures(measure, images, originals)["lpips"]
    expected = (normalize(images) - normalize(originals)).abs().mean()
    assert figure.value == pytest.approx(float(expected), rel=1e-6)


def test_lpips_without_its_files_is_an_error() -> None:
    with pytest.raises(ModelFileError, match="not found"):
        LpipsDistance(LpipsConfig(weights="missing.pth"))


def masks(*holes: tuple[slice, slice]) -> list[dict]:
    samples = []
    for rows, columns in holes:
        mask = np.zeros((16, 16), dtype=np.uint8)
        mask[rows, columns] = 255
        samples.append({"mask": mask})
    return samples


def test_the_hole_is_compared_and_the_rest_must_be_exact(measure_pictures, levels) -> None:
    originals = levels(4)
    images = originals.clone()
    images[0, :, :4, :4] = originals[0, :, :4, :4] ^ 1  # the hole: every level off by 1
    images[1, 0, 2, 2] ^= 128  # one level of a hole of 3 x 16
    images[2, 0, 9, 9] ^= 1  # a known pixel
    hole = (slice(4), slice(4))
    samples = masks(hole, hole, hole, (slice(0), slice(0)))
    samples[1]["mask"] = Image.fromarray(samples[1]["mask"])
    samples[2]["mask"] = (samples[2]["mask"] > 0).astype(np.uint8)  # labels
    figures = measure_pictures(MaskedRegion(NoOptions()), images, originals, samples)
    assert figures["known_exact"].value == 0.75
    first = 10 * math.log10(255**2)
    second = 10 * math.log10(255**2 / (128**2 / 48))
    assert figures["hole_psnr"].value == pytest.approx((first + second + 100) / 3, rel=1e-6)
    assert figures["hole_psnr"].note == "PSNR in the hole: 1 equal to the original count as 100 dB"


def test_pictures_without_holes_have_no_figure_of_them(measure_pictures, levels) -> None:
    samples = masks((slice(0), slice(0)), (slice(0), slice(0)))
    assert list(measure_pictures(MaskedRegion(NoOptions()), levels(2), levels(2), samples)) == [
        "known_exact"
    ]


def test_a_mask_of_another_size_is_an_error(measure_pictures, levels) -> None:
    samples = masks((slice(4), slice(4)))
    with pytest.raises(InvalidInputError, match=r"masks of the size .*\(32, 32\), got \(16, 16\)"):
        measure_pictures(MaskedRegion(NoOptions()), levels(1, 32), levels(1, 32), samples)
