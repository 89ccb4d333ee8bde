import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.evaluation.mean_iou import count_overlaps, mean_iou


def test_equal_maps_have_one() -> None:
    maps = torch.tensor([[[0, 1], [2, 2]]])
    assert mean_iou(maps, maps, 5) == 1


def test_it_is_the_mean_over_the_classes_that_occur() -> None:
    maps = torch.tensor([[[0, 0], [1, 1]]])
    references = torch.tensor([[[0, 1], [1, 1]]])
    assert mean_iou(maps, references, 4) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_a_class_that_only_one_side_has_counts_as_zero() -> None:
    maps, references = torch.tensor([[[0, 3]]]), torch.tensor([[[0, 0]]])
    assert mean_iou(maps, references, 4) == pytest.approx(0.25)


def test_maps_of_bytes_do_not_overflow() -> None:
    maps = torch.tensor([[[11, 11]]], dtype=torch.uint8)
    assert mean_iou(maps, maps.long(), 200) == 1


def test_other_shapes_and_unknown_classes_are_errors() -> None:
    maps = torch.zeros(1, 2, 2, dtype=torch.long)
    with pytest.raises(InvalidInputError, match="one shape"):
        mean_iou(maps, maps[:, :1], 2)
    with pytest.raises(InvalidInputError, match="0 to 1"):
        mean_iou(maps, maps + 2, 2)


def test_overlaps_are_counted_for_each_picture() -> None:
    maps = torch.tensor([[[0, 0], [1, 1]], [[2, 2], [2, 2]]])
    references = torch.tensor([[[0, 1], [1, 1]], [[2, 2], [0, 0]]])
    shared, union = count_overlaps(maps, references, 4)
    assert shared.tolist() == [[1, 2, 0, 0], [0, 0, 2, 0]]
    assert union.tolist() == [[2, 3, 0, 0], [2, 0, 4, 0]]
