"""The paper's layout conditioner: every object three tokens on a grid."""

from collections.abc import Mapping, Sequence
from itertools import chain

import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart, Stream
from latelier_conditioners.layout.inputs import (
    ATTRIBUTES,
    CROP_TOKENS,
    TOKENS_AN_OBJECT,
    Layout,
    LayoutConfig,
    LayoutObject,
)
from latelier_conditioners.layout.objects import ObjectsConditioner, WindowBox
from latelier_conditioners.transformer_encoder import TransformerEncoder


class LayoutConditioner(ObjectsConditioner):
    """Encodes layouts as the published model does (arXiv:2112.10752, section 4.3.1).

    An object is its class, the place of its upper left corner and that of its lower right. Absent
    objects are "none". The last two tokens are the corners of the part of the picture that is
    seen. Classes and places share their ids, and nothing is masked.
    """

    def __init__(self, config: LayoutConfig) -> None:
        super().__init__(config)
        self._layout = config
        self.transformer = TransformerEncoder(
            config.n_embed, config.n_layer, config.vocab_size, config.max_seq_len
        )

    def prepare(self, inputs: Sequence[Layout], geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "tokens" (B, max_seq_len) int64. Objects outside of `geometry.crop` are left out.

        Raises:
            InvalidInputError: too many or too few objects, or one that this model cannot take.
        """
        rows = [self._tokens(layout, geometry.crop) for layout in inputs]
        tokens = torch.tensor(rows, dtype=torch.int64)
        return {"tokens": tokens.view(len(rows), self._layout.max_seq_len)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, max_seq_len, n_embed), unmasked."""
        return ConditionPart(Stream(self.transformer(batch["tokens"])))

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return the encoding of no objects, seen through `geometry.crop`, for that many rows.

        The crop belongs to the view and not to what is in it, so guidance must not drive away from
        it. The published model was trained without a null part; this is the nearest that it knows.
        """
        tokens = self._filled([], geometry.crop)
        device = self.transformer.norm.weight.device
        encoded = self.transformer(torch.tensor([tokens], device=device))
        return ConditionPart(Stream(encoded.expand(rows, -1, -1)))

    def crop(self, batch: Mapping[str, Tensor], box: WindowBox, /) -> Mapping[str, Tensor]:
        """Return the batch with the corners of `box` as its crop."""
        tokens = batch["tokens"]
        crop = tokens.new_tensor(self._corners(box)).expand(len(tokens), -1)
        return {**batch, "tokens": torch.cat([tokens[:, :-CROP_TOKENS], crop], dim=1)}

    def _tokens(self, layout: Layout, crop: WindowBox) -> list[int]:
        objects = self._read(layout, crop, self._layout.attributes)
        return self._filled([self._triple(number, each) for number, each in objects], crop)

    def _filled(self, triples: Sequence[Sequence[int]], crop: WindowBox) -> list[int]:
        absent = self._layout.max_objects_per_image - len(triples)
        none = [self._layout.none] * TOKENS_AN_OBJECT * absent
        return [*chain.from_iterable(triples), *none, *self._corners(crop)]

    def _triple(self, number: int, each: LayoutObject) -> tuple[int, int, int]:
        bits = sum(ATTRIBUTES[name] for name in each.attributes)
        box = each.box
        corners = self._corners((box.x0, box.y0, box.x1, box.y1))
        return (number + self._layout.num_classes * bits, *corners)

    def _corners(self, box: WindowBox) -> tuple[int, int]:
        """Return the ids of the grid's points nearest to the corners, counted row by row."""
        last = self._layout.sections - 1
        x0, y0, x1, y1 = (round(side * last) for side in box)
        return y0 * (last + 1) + x0, y1 * (last + 1) + x1
