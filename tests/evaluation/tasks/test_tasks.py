import numpy as np
import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.data.emoji_scenes import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.scene_model.masks import hide_object
from latelier.evaluation.tasks.class_label import ClassLabel
from latelier.evaluation.tasks.inpainting import Inpainting
from latelier.evaluation.tasks.model import EvaluatedModel
from latelier.evaluation.tasks.originals import Originals
from latelier.evaluation.tasks.reconstruction import Reconstruction
from latelier.evaluation.tasks.super_resolution import SuperResolution
from latelier.evaluation.tasks.text import Text
from latelier.evaluation.tasks.unconditional import Unconditional
from latelier.training.data.randomness import DataPurpose, data_generator


def generator(index: int) -> np.random.Generator:
    return data_generator(0, DataPurpose.EVALUATION, index)


def sample(index: int = 0, side: int = 16) -> dict:
    levels = torch.arange(3 * side * side).reshape(3, side, side) * 7 % 256
    return {"index": index, "image": levels.to(torch.uint8)}


@pytest.fixture
def model(tiny) -> EvaluatedModel:
    return EvaluatedModel(tiny, {"prompt": "prompt"}, {"steps": 2}, seed=5, size=(16, 16))


def test_all_classes_are_equally_frequent():
    task = ClassLabel(classes=3)

    labels = [task.add_fields({"index": k}, generator(k))["class_label"] for k in range(6)]

    assert labels == [0, 1, 2, 0, 1, 2]
    assert task.provides == {"class_label"}


def test_without_a_number_of_classes_the_data_have_them():
    assert ClassLabel().provides == frozenset()
    assert ClassLabel().add_fields({"index": 4}, generator(4)) == {}


def test_a_small_copy_has_a_quarter_of_the_sides():
    small = SuperResolution().add_fields(sample(), generator(0))["low_resolution"]

    assert small.size == (4, 4)


def test_a_factor_that_does_not_divide_the_size_is_an_error():
    with pytest.raises(
        InvalidInputError, match=r"task\.factor: 3 does not divide the size 16 x 16"
    ):
        SuperResolution(factor=3).add_fields(sample(), generator(0))


@pytest.mark.parametrize("masks", ["mixed", "strokes", "boxes"])
def test_a_random_mask_depends_on_the_index_alone(masks):
    task = Inpainting(masks=masks, share=(0.2, 0.5))

    first, same, other = (task.add_fields(sample(k, 64), generator(k))["mask"] for k in (3, 3, 4))

    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    assert 0.2 <= (first > 0).mean() <= 0.5


def test_boxes_have_straight_edges_and_strokes_do_not():
    def count_rows(masks):
        task = Inpainting(masks=masks, share=(0.2, 0.3))
        drawn = [task.add_fields(sample(k, 64), generator(k))["mask"] for k in range(5)]
        return [len(np.unique(mask, axis=0)) for mask in drawn]

    assert max(count_rows("boxes")) < min(count_rows("strokes"))


def test_the_main_object_of_a_scene_is_hidden():
    scene = EmojiScenes(SceneConfig(size=64), 0, 1).scene(0)
    task = Inpainting(masks="object")

    mask = task.add_fields({"index": 0, "scene": scene}, generator(0))["mask"]

    assert np.array_equal(mask, np.array(hide_object(scene)))
    assert task.needs == {"image", "scene"}


def test_the_masks_of_the_data_are_used():
    task = Inpainting(masks="data")

    assert task.needs == {"image", "mask"}
    assert task.add_fields(sample(), generator(0)) == {}


def test_inpainting_changes_the_hole_alone(model):
    mask = np.zeros((16, 16), np.uint8)
    mask[:8] = 255
    samples = [{**sample(k), "prompt": "a red cat in a meadow", "mask": mask} for k in range(2)]

    pictures = Inpainting().make_pictures(model, samples)

    originals = torch.stack([each["image"] for each in samples])
    assert torch.equal(pictures[:, :, 8:], originals[:, :, 8:])
    assert not torch.equal(pictures[:, :, :8], originals[:, :, :8])


def test_picture_k_has_the_seed_of_the_run_plus_k(model):
    prompts = ["a red cat in a meadow", "a blue dog on the sea", "a green fish on the sea"]
    samples = [{"index": k, "prompt": text} for k, text in enumerate(prompts, start=4)]

    together = Text().make_pictures(model, samples)

    alone = model.pipeline.generate(prompt=prompts[2], seed=5 + 6, steps=2, size=16)[0].image
    assert together.dtype == torch.uint8
    assert together.shape == (3, 3, 16, 16)
    difference = together[2].permute(1, 2, 0).int() - torch.tensor(np.array(alone)).int()
    assert difference.abs().max() <= 1  # other rows of a batch change the last bits


def test_pictures_of_noise_alone_need_no_inputs(model):
    unconditional = EvaluatedModel(model.pipeline, {}, {"steps": 2}, seed=0, size=(16, 16))

    pictures = Unconditional().make_pictures(unconditional, [{"index": k} for k in range(3)])

    assert pictures.shape == (3, 3, 16, 16)
    assert not torch.equal(pictures[0], pictures[1])


def test_reconstructions_are_those_of_the_first_stage(model):
    pictures = Reconstruction().make_pictures(model, [sample(0), sample(1)])

    assert pictures.dtype == torch.uint8
    assert pictures.shape == (2, 3, 16, 16)


def test_originals_are_the_pictures_of_the_data():
    pictures = Originals().make_pictures(None, [sample(0), sample(1)])

    assert torch.equal(pictures[1], sample(1)["image"])
