"""A layout conditioner with exact boxes, for new models."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart, Stream
from latelier.nn.layers import EncoderLayer
from latelier.nn.packed import Linear
from latelier_conditioners.layout.inputs import Layout
from latelier_conditioners.layout.objects import WHOLE, ObjectsConditioner, WindowBox
from latelier_conditioners.layout_fourier.inputs import LayoutFourierConfig


class LayoutFourierConditioner(ObjectsConditioner[LayoutFourierConfig]):
    """Encodes objects as a set, each by its class and the Fourier features of its box.

    Grounding tokens as in GLIGEN (Li et al. 2023, arXiv:2301.07093, eq. 5), with a learnt embedding
    of the class in place of GLIGEN's text. The first token stands for the picture: it has its own
    class, and the whole as its box. The unconditional part is this token alone. Absent objects are
    masked. A window is a picture of its own, with the parts of boxes that lie in it, since training
    shows whole pictures.
    """

    def __init__(self, config: LayoutFourierConfig) -> None:
        super().__init__(config)
        self.class_embedding = nn.Embedding(config.num_classes + 1, config.width)
        self.box_embedding = Linear(4 * 2 * config.frequencies, config.width)
        self.layers = nn.ModuleList(
            EncoderLayer(config.width, config.heads) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def prepare(self, inputs: Sequence[Layout], geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "labels" (B, N) int64, "boxes" (B, N, 4) float32 and "mask" (B, N) bool.

        N is 1 + max_objects_per_image. Boxes are in units of `geometry.crop`; see `crop`.

        Raises:
            InvalidInputError: a layout has too many or too few objects, or an object that this
                model does not support.
        """
        length = 1 + self.config.max_objects_per_image
        labels, boxes, counts = [], [], []
        for layout in inputs:
            objects = self._known_objects(layout)
            absent = length - 1 - len(objects)
            numbers = [number for number, _ in objects]
            corners = [(o.box.x0, o.box.y0, o.box.x1, o.box.y1) for _, o in objects]
            labels.append([self.config.num_classes, *numbers, *[self.config.num_classes] * absent])
            boxes.append([WHOLE, *corners, *[(0.0, 0.0, 0.0, 0.0)] * absent])
            counts.append(1 + len(objects))
        batch = {
            "labels": torch.tensor(labels, dtype=torch.int64).view(-1, length),
            "boxes": torch.tensor(boxes, dtype=torch.float32).view(-1, length, 4),
            "mask": torch.arange(length) < torch.tensor(counts)[:, None],
        }
        return batch if geometry.crop == WHOLE else self.crop(batch, geometry.crop)

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, N, width) under its mask."""
        mask = batch["mask"]
        features = fourier_features(batch["boxes"], self.config.frequencies)
        boxes = self.box_embedding(features.to(self.norm.weight.dtype))
        x = self.class_embedding(batch["labels"]) + boxes
        for layer in self.layers:
            x = layer(x, mask[:, None, None])
        return ConditionPart(Stream(self.norm(x), mask))

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return the encoding of the picture's token alone, for `rows` rows."""
        device = self.norm.weight.device
        batch = {name: tensor.to(device) for name, tensor in self._empty(rows).items()}
        return self.forward(batch, geometry)

    def crop(self, batch: Mapping[str, Tensor], box: WindowBox, /) -> dict[str, Tensor]:
        """Return the batch with boxes cut to a window, in its units; those outside are masked."""
        x0, y0, x1, y1 = box
        whole = batch["boxes"]
        start = whole.new_tensor([x0, y0, x0, y0])
        side = whole.new_tensor([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
        boxes = ((whole - start) / side).clamp(0, 1)
        boxes[:, 0] = whole.new_tensor(WHOLE)
        is_inside = (boxes[..., :2] < boxes[..., 2:]).all(dim=2)
        return {**batch, "boxes": boxes, "mask": batch["mask"] & is_inside}

    def _empty(self, rows: int) -> dict[str, Tensor]:
        """Return a batch without objects."""
        length = 1 + self.config.max_objects_per_image
        labels = torch.full((rows, length), self.config.num_classes)
        boxes = torch.zeros(rows, length, 4)
        boxes[:, 0] = torch.tensor(WHOLE)
        mask = torch.zeros(rows, length, dtype=torch.bool)
        mask[:, 0] = True
        return {"labels": labels, "boxes": boxes, "mask": mask}


def fourier_features(boxes: Tensor, frequencies: int) -> Tensor:
    """Return (..., 8 * frequencies): sine and cosine of each coordinate (..., 4) in octaves.

    The lowest has half a period across the picture (Tancik et al. 2020, arXiv:2006.10739).
    """
    octaves = math.pi * 2.0 ** torch.arange(frequencies, device=boxes.device)
    angles = boxes[..., None] * octaves  # (..., 4, F)
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)
