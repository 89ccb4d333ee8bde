import pytest
import torch

from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.scenes import read_scenes, to_images
from latelier.metrics.features import load_scene_features, to_unit_length


def test_the_distance_grows_with_the_blur_and_not_with_a_shift_of_brightness():
    images = to_images(read_scenes(EmojiScenes(seed=3, length=8))) * 0.9
    network = load_scene_features()
    weak, strong = (
        torch.nn.functional.avg_pool2d(images, k, 1, k // 2, count_include_pad=False)
        for k in (3, 7)
    )
    distances = [network(each, images).mean().item() for each in (images, weak, strong)]
    assert distances[0] == 0
    assert 2 * distances[1] < distances[2] < 4
    assert network(images + 0.05, images).mean().item() < distances[2] / 2


def test_any_size_is_fine_and_nothing_but_the_image_has_a_gradient():
    network = load_scene_features()
    images = torch.rand(2, 3, 48, 80, requires_grad=True)
    network(images, torch.rand(2, 3, 48, 80)).sum().backward()
    assert images.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in network.parameters())
    assert not any(m.training for m in network.train().modules())


def test_features_of_unit_length():
    features = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    assert to_unit_length(features).flatten().tolist() == pytest.approx([0.6, 0.8])
    assert to_unit_length(features * 0).flatten().tolist() == [0, 0]
