import pytest
import torch

from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.drawn_objects import (
    balanced_agreement,
    bounding_boxes,
    box_iou,
    find_objects,
)


def test_the_objects_of_rendered_scenes_are_found():
    config = SceneConfig(backgrounds=("plain",), shadow=False)
    scenes = EmojiScenes(config, length=40)
    images = torch.stack([scenes[k]["image"] for k in range(40)])
    truth = torch.tensor([scenes.scene(k).objects[0].box for k in range(40)])
    masks = torch.stack([torch.from_numpy(scenes.scene(k).mask()) for k in range(40)])
    found = find_objects(images)
    assert box_iou(bounding_boxes(found), truth).mean() > 0.9
    assert balanced_agreement(found, masks).mean() > 0.9


def test_a_box_leaves_specks_out():
    mask = torch.zeros(1, 20, 20, dtype=torch.bool)
    mask[0, 5:15, 4:18] = True
    mask[0, 0, 0] = True
    assert bounding_boxes(mask).tolist() == [pytest.approx([0.2, 0.25, 0.9, 0.75])]
    assert bounding_boxes(mask & False).tolist() == [[0, 0, 0, 0]]


def test_intersection_over_union():
    boxes = torch.tensor([[0, 0, 0.5, 0.5], [0, 0, 0.5, 1], [0, 0, 0, 0]])
    others = torch.tensor([[0, 0, 0.5, 0.5], [0.25, 0, 0.75, 1], [0, 0, 1, 1]])
    assert box_iou(boxes, others).tolist() == pytest.approx([1, 1 / 3, 0])


def test_agreement_is_a_half_without_information():
    reference = torch.zeros(3, 4, 4, dtype=torch.bool)
    reference[:, :2] = True
    masks = torch.stack([reference[0], torch.ones(4, 4) > 0, torch.zeros(4, 4) > 0])
    assert balanced_agreement(masks, reference).tolist() == [1, 0.5, 0.5]
