"""The conformance kit over every conditioner that is registered here."""

from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image

from latelier.contracts.components import PictureGeometry
from latelier.kernel.registrar import Registrar
from latelier.testing import ConditionerContract
from latelier_conditioners._plugin import plugin
from latelier_conditioners.text.inputs import TextConfig

RNG = np.random.default_rng(0)
CAPTIONS = [f"a {color} {thing}" for color in ("red", "green", "blue") for thing in ("cat", "dog")]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "red", "cat", "dog", "##s"]
CAT = {"label": "cat", "box": [0.0, 0.0, 0.5, 0.5]}
DOG = {"label": 2, "box": [0.25, 0.5, 1.0, 1.0]}
OBJECTS: dict[str, Any] = {
    "num_classes": 3,
    "names": ("cat", "red apple", "dog"),
    "max_objects_per_image": 4,
}
BAD_OBJECTS = [[], [CAT] * 5, [{**CAT, "label": 3}], [{**CAT, "box": [0.5, 0, 0.4, 1]}], "cat"]


@cache
def vocabulary() -> dict[str, bytes]:
    from latelier_conditioners.text.conditioner import TextConditioner

    learner = TextConditioner(TextConfig(width=16, layers=0))
    learner.fit(CAPTIONS)
    return learner.assets()


def picture(height: int, width: int) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8))


def drawing(height: int, width: int) -> Image.Image:
    """A picture that is transparent outside of a square."""
    pixels = RNG.integers(0, 256, (height, width, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    pixels[2:-2, 3:-3, 3] = 255
    return Image.fromarray(pixels)


class Halving(torch.nn.Module):
    """A first stage that keeps every other pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, :, ::2, ::2] * self.weight


def test_every_conditioner_is_tried() -> None:
    registrar = Registrar("latelier", "0")
    plugin.latelier_register(registrar)
    tried = {each.component for each in ConditionerContract.__subclasses__()}
    assert {spec.id for spec in registrar.specs} <= tried


class TestText(ConditionerContract):
    component = "latelier/text"
    config = {"width": 16, "layers": 2, "heads": 2, "max_length": 12}
    inputs = ["a red cat", {"text": "dog"}, "a blue dog and a green cat"]
    bad_inputs = ["", " \n", 7, {"txt": "a cat"}, "cat " * 12]

    def equip(self, component: Any) -> None:
        component.set_assets(vocabulary())


class TestBertText(ConditionerContract):
    component = "latelier/bert_text"
    config = {"n_embed": 16, "n_layer": 1, "vocab_size": len(WORDS), "max_seq_len": 7}
    inputs = ["a red cat", "dogs"]
    bad_inputs = ["", 7, {"txt": "a cat"}, "cat " * 12]

    def equip(self, component: Any) -> None:
        component.set_assets({"vocab.txt": "\n".join(WORDS).encode()})


class TestClassLabel(ConditionerContract):
    component = "latelier/class_label"
    config = {"num_classes": 3, "width": 8, "names": ("cat", "red apple", "dog")}
    inputs = [0, "red apple", {"label": 2}]
    bad_inputs = [3, -1, True, "appel", 1.5, {"lable": 1}]


class TestClassVector(TestClassLabel):
    config = {"num_classes": 3, "width": 8, "slot": "vector"}
    inputs = [0, 1, {"label": 2}]


class TestClassLabelWithoutNullClass(TestClassLabel):
    config = {"num_classes": 3, "width": 8, "null_class": False}
    inputs = [0, 1, {"label": 2}]


class TestClassVectorWithoutNullClass(TestClassLabel):
    config = {"num_classes": 3, "width": 8, "slot": "vector", "null_class": False}
    inputs = [0, 1, {"label": 2}]


class TestLayout(ConditionerContract):
    component = "latelier/layout"
    config = {"n_embed": 16, "n_layer": 1, **OBJECTS}
    inputs = [[CAT, DOG], [DOG], CAT]
    bad_inputs = BAD_OBJECTS


class TestLayoutFourier(ConditionerContract):
    component = "latelier/layout_fourier"
    config = {"width": 16, "layers": 1, "heads": 2, **OBJECTS}
    inputs = [[CAT, DOG], [DOG], CAT]
    bad_inputs = BAD_OBJECTS


class TestEmbedding(ConditionerContract):
    component = "latelier/embedding"
    config = {"width": 3, "max_vectors": 4, "normalise": True}
    inputs = [[0.5, -1.0, 2.0], {"vectors": [[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]]}]
    bad_inputs = [[1.0, 2.0], [[1.0, 2.0, 3.0]] * 5, [0.0, 0.0, 0.0], [], None, "no/such.npy"]


class TestPictureSize(ConditionerContract):
    component = "latelier/picture_size"
    config = {"width": 8}
    inputs = [{}, {"original_size": [64, 32], "crop": [8, 0]}, {"target_size": [16, 16]}]
    bad_inputs = [
        {"original_size": [0, 32]},
        {"original_size": 32},
        {"crop": [-1, 0]},
        {"aesthetic_score": 6},
        {"size": [8, 8]},
        "large",
    ]


class TestPictureSizeOfRefiner(TestPictureSize):
    config = {"width": 8, "numbers": ["original_size", "crop", "aesthetic_score"]}
    inputs = [{"aesthetic_score": 2.5}, {"original_size": [64, 32], "crop": [8, 0]}]
    bad_inputs = [{"target_size": [64, 32]}, {"aesthetic_score": 11}, {"crop": [1]}]


class TestSemanticMap(ConditionerContract):
    component = "latelier/semantic_map"
    config = {"num_classes": 4, "n_stages": 2, "out_channels": 3}
    geometry = PictureGeometry((16, 32), (4, 8), first_stage=Halving())  # type: ignore[arg-type]
    inputs = [RNG.integers(0, 4, (16, 32), dtype=np.uint8) for _ in range(2)]
    bad_inputs = [np.full((16, 32), 4, np.uint8), "no/such.png", {"mpa": np.zeros((16, 32))}]


class TestSemanticMapOneHot(TestSemanticMap):
    config = {"num_classes": 4, "n_stages": 2}


class TestMask(ConditionerContract):
    component = "latelier/mask"
    config = {"latent_channels": 3}
    geometry = PictureGeometry((8, 12), (4, 6), first_stage=Halving())  # type: ignore[arg-type]
    inputs = [
        {"image": picture(8, 12), "mask": RNG.integers(0, 2, (8, 12)).astype(bool)}
        for _ in range(2)
    ]
    bad_inputs = [
        picture(8, 12),
        {"image": picture(8, 12), "mask": np.zeros((8, 12), bool)},
        {"image": picture(8, 12), "mask": np.ones((8, 11), bool)},
        {"image": picture(6, 12), "mask": np.ones((6, 12), bool)},
        {"mask": np.ones((8, 12), bool)},
    ]


class TestZeroedMask(TestMask):
    config = {"latent_channels": 3, "mask_values": (1, 0), "zero_repainted": True}


class TestImage(ConditionerContract):
    component = "latelier/image"
    config = {"factor": 4, "degradation": "bicubic"}
    geometry = PictureGeometry((64, 64), (16, 16), first_stage=Halving())  # type: ignore[arg-type]
    inputs = [picture(16, 16), {"image": picture(16, 16)}]
    bad_inputs = [picture(15, 16), "no/such.png", {"imgae": picture(16, 16)}]


class TestImagePatches(TestImage):
    config = {"factor": 4, "patch": 2, "degradation": "bicubic"}
    geometry = PictureGeometry((64, 64), (8, 8), first_stage=Halving())  # type: ignore[arg-type]


class TestHint(ConditionerContract):
    component = "latelier/hint"
    config = {"patch": 4}
    geometry = PictureGeometry((32, 48), (8, 12), first_stage=Halving())  # type: ignore[arg-type]
    inputs = [picture(32, 48), picture(48, 32), {"image": picture(16, 24)}]
    bad_inputs = ["no/such.png", {"imgae": picture(32, 48)}]


class TestReferences(ConditionerContract):
    component = "latelier/references"
    config = {"latent_channels": 3, "max_references": 2, "size": 16}
    geometry = PictureGeometry((16, 16), (8, 8), first_stage=Halving())  # type: ignore[arg-type]
    inputs = [drawing(20, 30), [drawing(12, 12), picture(8, 9)], {"pictures": [picture(9, 8)]}]
    bad_inputs = [
        [drawing(12, 12)] * 3,
        "cat",
        7,
        True,
        "no/such.png",
        np.zeros((8, 8, 4), np.uint8),
        {"picture": drawing(12, 12)},
    ]


class TestCollage(ConditionerContract):
    component = "latelier/collage"
    config = {"latent_channels": 3, "max_references": 2}
    geometry = PictureGeometry((32, 32), (16, 16), first_stage=Halving())  # type: ignore[arg-type]
    reach = 3  # two of the collage, and one that the soft edges of a drawing touch
    inputs = [
        {"pictures": [drawing(20, 30)], "boxes": [[0, 0, 0.5, 1]]},
        {"pictures": [drawing(12, 12), picture(8, 9)], "boxes": [[0, 0, 1, 1], [0.2, 0.2, 1, 1]]},
    ]
    bad_inputs = [
        [],
        drawing(12, 12),
        {"pictures": [drawing(12, 12)] * 3, "boxes": [[0, 0, 1, 1]] * 3},
        {"pictures": [drawing(12, 12)], "boxes": [[0, 0, 1, 1]] * 2},
        {"pictures": ["cat"], "boxes": [[0, 0, 1, 1]]},
        "no/such.png",
    ]
