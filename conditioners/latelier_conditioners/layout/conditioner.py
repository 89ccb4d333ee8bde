"""The paper's layout conditioner: three tokens an object, with positions on a grid."""

from collections.abc import Mapping, Sequence
from itertools import chain

import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart, Stream
from latelier.nn.transformer_encoder import TransformerEncoder
from latelier_conditioners.layout.inputs import (
    ATTRIBUTES,
    CROP_TOKENS,
    TOKENS_PER_OBJECT,
    Layout,
    LayoutConfig,
    LayoutObject,
)
from latelier_conditioners.layout.objects import ObjectsConditioner, WindowBox


class LayoutConditioner(ObjectsConditioner[LayoutConfig]):
    """Encodes layouts as the published model does (arXiv:2112.10752, section 4.3.1).

    The three tokens of an object are its class, its upper left corner and its lower right corner.
    Tokens "none" stand for absent objects. The last two tokens are the corners of the crop.
    Classes and corners share their ids, and nothing is masked.
    """

    def __init__(self, config: LayoutConfig) -> None:
        super().__init__(config)
        self.transformer = TransformerEncoder(
            config.n_embed, config.n_layer, config.vocab_size, config.max_seq_len
        )

    def prepare(self, inputs: Sequence[Layout], geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "tokens" (B, max_seq_len) int64, without objects outside `geometry.crop`.

        Raises:
            InvalidInputError: a layout has too many or too few objects, or an object that this
                model does not support.
        """
        rows = [self._tokens(layout, geometry.crop) for layout in inputs]
        tokens = torch.tensor(rows, dtype=torch.int64)
        return {"tokens": tokens.view(len(rows), self.config.max_seq_len)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, max_seq_len, n_embed), unmasked."""
        return ConditionPart(Stream(self.transformer(batch["tokens"])))

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return the encoding of no objects within `geometry.crop`, for `rows` rows.

        It has the same crop as the condition, because guidance must not push away from the crop.
        The published model was trained without a null part; this is the nearest input to one.
        """
        tokens = self._fill([], geometry.crop)
        device = self.transformer.norm.weight.device
        encoded = self.transformer(torch.tensor([tokens], device=device))
        return ConditionPart(Stream(encoded.expand(rows, -1, -1)))

    def crop(self, batch: Mapping[str, Tensor], box: WindowBox, /) -> Mapping[str, Tensor]:
        """Return the batch with `box` as the crop."""
        tokens = batch["tokens"]
        crop = tokens.new_tensor(self._corners(box)).expand(len(tokens), -1)
        return {**batch, "tokens": torch.cat([tokens[:, :-CROP_TOKENS], crop], dim=1)}

    def _tokens(self, layout: Layout, crop: WindowBox) -> list[int]:
        objects = self._known_objects(layout, self.config.attributes)
        visible = [self._triple(number, o) for number, o in objects if o.box.overlaps(crop)]
        return self._fill(visible, crop)

    def _fill(self, triples: Sequence[Sequence[int]], crop: WindowBox) -> list[int]:
        """Return the tokens of objects, padded with "none", and those of the crop."""
        absent = self.config.max_objects_per_image - len(triples)
        none = [self.config.none] * TOKENS_PER_OBJECT * absent
        return [*chain.from_iterable(triples), *none, *self._corners(crop)]

    def _triple(self, number: int, each: LayoutObject) -> tuple[int, int, int]:
        """Return the three tokens of an object of class `number`."""
        bits = sum(ATTRIBUTES[name] for name in each.attributes)
        box = each.box
        corners = self._corners((box.x0, box.y0, box.x1, box.y1))
        return (number + self.config.num_classes * bits, *corners)

    def _corners(self, box: WindowBox) -> tuple[int, int]:
        """Return the ids of the grid points nearest to both corners, in row-major order."""
        last = self.config.sections - 1
        x0, y0, x1, y1 = (round(side * last) for side in box)
        return y0 * (last + 1) + x0, y1 * (last + 1) + x1
