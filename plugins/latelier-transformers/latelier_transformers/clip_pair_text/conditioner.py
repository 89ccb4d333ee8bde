"""The pair of CLIP text encoders."""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from latelier import Conditioner, ConditionPart, PictureGeometry, Stream
from latelier.nn.views import replace_layers
from latelier_conditioners.text.inputs import Text
from torch import Tensor
from torch.nn.functional import pad

from latelier_transformers.clip_pair_text.inputs import ClipPairTextConfig
from latelier_transformers.clip_text.conditioner import ClipTextConditioner
from latelier_transformers.clip_text.vocabulary import ClipVocabulary


class ClipPairTextConditioner(Conditioner[ClipPairTextConfig]):
    """Encodes a text with two CLIPs, as SDXL does (Podell et al. 2023, arXiv:2307.01952).

    Their streams are concatenated on the width, and so are their vectors. Both have one tokenizer,
    and may pad with different tokens.
    """

    Input = Text

    def __init__(self, config: ClipPairTextConfig) -> None:
        super().__init__(config)
        self.clip_l = ClipTextConditioner(config.clip_l)
        self.clip_g = ClipTextConditioner(config.clip_g)

    def assets(self) -> dict[str, bytes]:
        """Return the files of the tokenizer, if there is one."""
        return self.clip_l.assets()

    def set_assets(self, assets: Mapping[str, bytes]) -> None:
        """Set the tokenizer of both; see `ClipTextConditioner.set_assets`."""
        if assets:
            vocabulary = ClipVocabulary(assets)
            for each in self._encoders().values():
                each.set_vocabulary(vocabulary)

    def with_encoders(self, clip_l: ClipTextConditioner, clip_g: ClipTextConditioner) -> Self:
        """Return a view with other encoders."""
        view = replace_layers(self, {"clip_l": clip_l, "clip_g": clip_g})
        configs = {"clip_l": clip_l.config, "clip_g": clip_g.config}
        view._config = self.config.model_copy(update=configs)
        return view

    def check(self, value: Text, /) -> Sequence[str]:
        """Return warnings about marks in a prompt that are read as words."""
        return self.clip_l.check(value)

    def prepare(self, inputs: Sequence[Text], geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return what both encoders prepare: "clip_l.tokens", "clip_g.tokens" ...

        Raises:
            InvalidInputError: a text has too many tokens.
            InvalidConfigError: the conditioner has no tokenizer yet.
        """
        return {
            f"{name}.{key}": tensor
            for name, each in self._encoders().items()
            for key, tensor in each.prepare(inputs, geometry).items()
        }

    def forward(self, batch: Mapping[str, Tensor], geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, N, width), and the vector if an encoder has one."""
        parts = []
        for name, each in self._encoders().items():
            own = {key: batch[key] for key in batch if key.startswith(f"{name}.")}
            prepared = {key.removeprefix(f"{name}."): tensor for key, tensor in own.items()}
            parts.append(each(prepared, geometry))
        return self._join(parts)

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return the null parts of both, joined."""
        return self._join([each.null(rows, geometry) for each in self._encoders().values()])

    def _encoders(self) -> dict[str, ClipTextConditioner]:
        return {"clip_l": self.clip_l, "clip_g": self.clip_g}

    def _join(self, parts: Sequence[ConditionPart]) -> ConditionPart:
        streams = [part.stream for part in parts if part.stream is not None]
        tokens = torch.cat([stream.tokens for stream in streams], -1)
        width = self.config.width or tokens.shape[-1]
        stream = Stream(pad(tokens, (0, width - tokens.shape[-1])), streams[0].mask)
        vectors = [part.vector for part in parts if part.vector is not None]
        return ConditionPart(stream, vector=torch.cat(vectors, -1) if vectors else None)
