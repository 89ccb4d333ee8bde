"""The embedding conditioner: vectors that the caller supplies."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart, Stream
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidInputError
from latelier_conditioners.embedding.inputs import Embedding, EmbeddingConfig


class EmbeddingConditioner(Conditioner):
    """Hands vectors on as tokens of the context.

    What retrieval-augmented models attend to (Blattmann et al. 2022, arXiv:2204.11824): the CLIP
    vector of a text, followed by those of its neighbours in a database. It has no weights.
    """

    Input = Embedding

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__(config)
        self._vectors = config
        self.nothing: Tensor
        self.register_buffer("nothing", torch.zeros(1, 1, config.width), persistent=False)

    def prepare(
        self, inputs: Sequence[Embedding], _geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "vectors" (B, N, width) float32, N as of the longest input.

        And "mask" (B, N) bool, only where the inputs have different numbers of vectors.

        Raises:
            InvalidInputError: too many vectors, of another width, or one of no length that should
                have unit length.
        """
        rows = [self._checked(value) for value in inputs]
        counts = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        if not rows:
            return {"vectors": torch.zeros(0, 1, self._vectors.width)}
        vectors = pad_sequence(rows, batch_first=True)
        mask = torch.arange(vectors.shape[1]) < counts[:, None]
        return {"vectors": vectors} if mask.all() else {"vectors": vectors, "mask": mask}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, N, width)."""
        return ConditionPart(Stream(batch["vectors"].to(self.nothing.dtype), batch.get("mask")))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return one token of zeros for that many rows.

        Attention to k equal tokens is attention to one of them, so this is what the original's k
        zeros are, for every k.
        """
        return ConditionPart(Stream(self.nothing.expand(rows, -1, -1)))

    def _checked(self, value: Embedding) -> Tensor:
        """Return the vectors (N, width) of one input."""
        count, width = len(value.vectors), len(value.vectors[0])
        if width != self._vectors.width:
            raise InvalidInputError(
                f"a vector has {width} numbers, but this model takes {self._vectors.width}"
            )
        if count > self._vectors.max_vectors:
            raise InvalidInputError(
                f"there are {count} vectors, but at most {self._vectors.max_vectors} fit"
            )
        vectors = torch.tensor(value.vectors, dtype=torch.float64)
        if self._vectors.normalise:
            if not vectors.any(dim=1).all():
                raise InvalidInputError("a vector of zeros has no direction; leave it out")
            vectors = vectors / vectors.norm(dim=1, keepdim=True)
        return vectors.float()
