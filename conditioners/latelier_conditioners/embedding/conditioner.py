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


class EmbeddingConditioner(Conditioner[EmbeddingConfig]):
    """Passes vectors on as tokens of the context. It has no weights.

    Retrieval-augmented models attend to such tokens (Blattmann et al. 2022, arXiv:2204.11824): the
    CLIP vector of a text, followed by those of its neighbours in a database.
    """

    Input = Embedding

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__(config)
        self.nothing: Tensor
        self.register_buffer("nothing", torch.zeros(1, 1, config.width), persistent=False)

    def prepare(
        self, inputs: Sequence[Embedding], _geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "vectors" (B, N, width) float32, where N is the length of the longest input.

        Inputs of different lengths add "mask" (B, N) bool.

        Raises:
            InvalidInputError: an input has too many vectors, vectors of another width, or a vector
                of zeros where `normalise` is set.
        """
        rows = [self._to_tensor(value) for value in inputs]
        counts = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        if not rows:
            return {"vectors": torch.zeros(0, 1, self.config.width)}
        vectors = pad_sequence(rows, batch_first=True)
        mask = torch.arange(vectors.shape[1]) < counts[:, None]
        return {"vectors": vectors} if mask.all() else {"vectors": vectors, "mask": mask}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, N, width)."""
        return ConditionPart(Stream(batch["vectors"].to(self.nothing.dtype), batch.get("mask")))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return one token of zeros for `rows` rows.

        The original has k tokens of zeros, one for each vector. Attention to k equal tokens equals
        attention to one of them, so one token stands for every k.
        """
        return ConditionPart(Stream(self.nothing.expand(rows, -1, -1)))

    def _to_tensor(self, value: Embedding) -> Tensor:
        """Return the vectors (N, width) of one input."""
        count, width = len(value.vectors), len(value.vectors[0])
        if width != self.config.width:
            raise InvalidInputError(
                f"a vector has {width} numbers, but this model takes {self.config.width}"
            )
        if count > self.config.max_vectors:
            raise InvalidInputError(
                f"there are {count} vectors, but at most {self.config.max_vectors} fit"
            )
        vectors = torch.tensor(value.vectors, dtype=torch.float64)
        if self.config.normalise:
            if not vectors.any(dim=1).all():
                raise InvalidInputError("a vector of zeros has no direction; leave it out")
            vectors = vectors / vectors.norm(dim=1, keepdim=True)
        return vectors.float()
