from pathlib import Path

import pytest
import torch

from latelier.contracts.errors import InvalidInputError, ModelFileError
from latelier.metrics.scene_detector import SceneDetector, load_detector
from latelier.metrics.small_network import save_network


@pytest.fixture(scope="module")
def detector() -> SceneDetector:
    torch.manual_seed(0)
    return SceneDetector().eval().requires_grad_(False)


def test_a_detection_has_a_row_for_each_picture_of_any_size(detector: SceneDetector) -> None:
    detection = detector(torch.zeros(2, 3, 64, 96))
    assert detection.cells.shape == (2, 192, 8, 12)
    assert detector.name(torch.zeros(5, 192)).shape == (5, 1167)
    assert detection.box.shape == (2, 4, 8, 12)
    assert detection.semantics.shape == (2, 12, 16, 24)
    assert detection.kind.shape == detection.place.shape == (2, 6)
    assert detection.color.shape == detection.second_color.shape == (2, 16)


def test_boxes_surround_their_cells_where_nothing_is_learnt(detector: SceneDetector) -> None:
    with torch.no_grad():
        detector.reach.weight.zero_()
        detector.reach.bias.fill_(0.25)
    box = detector(torch.zeros(1, 3, 32, 64)).box[0]  # 4 x 8 cells
    assert box[:, 0, 0].tolist() == pytest.approx([-1 / 16, 1 / 8 - 0.25, 3 / 16, 0.375])
    assert box[:, 3, 7].tolist() == pytest.approx([13 / 16, 0.625, 17 / 16, 1.125])


def test_features_are_at_a_quarter_an_eighth_and_a_sixteenth(detector: SceneDetector) -> None:
    shapes = [
        tuple(each.shape[1:]) for each in detector.extract_features(torch.zeros(1, 3, 64, 64))
    ]
    assert shapes == [(80, 16, 16), (160, 8, 8), (256, 4, 4)]


def test_saved_weights_detect_the_same(detector: SceneDetector, tmp_path: Path) -> None:
    save_network(tmp_path / "detector.safetensors", detector)
    again = load_detector(tmp_path / "detector.safetensors")
    images = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    torch.testing.assert_close(again(images).cells, detector(images).cells, rtol=0, atol=0.02)
    assert not again.training


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 60, 64)])
def test_pictures_of_a_wrong_shape_are_an_error(
    detector: SceneDetector, shape: tuple[int, ...]
) -> None:
    with pytest.raises(InvalidInputError, match="multiples of 16"):
        detector(torch.zeros(shape))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="not found"):
        load_detector(tmp_path / "missing.safetensors")
