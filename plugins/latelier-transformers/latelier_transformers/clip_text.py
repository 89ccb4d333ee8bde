"""The CLIP text conditioner."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from latelier import Conditioner, ConditionPart, PictureGeometry, Stream
from latelier.contracts.errors import InvalidConfigError
from latelier_conditioners.text.inputs import Text, check_length
from torch import Tensor, nn

from latelier_transformers.clip_text_inputs import ClipTextConfig
from latelier_transformers.clip_vocabulary import ClipVocabulary
from latelier_transformers.library import transformers


class ClipTextConditioner(Conditioner):
    """Encodes texts with CLIP's causal transformer (Radford et al. 2021, arXiv:2103.00020).

    The stream is unmasked, as Stable Diffusion was trained: what the encoder makes of the padding
    counts. The unconditional part is the empty text.
    """

    Input = Text

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__(config)
        self._clip = config
        self._vocabulary: ClipVocabulary | None = None
        library = transformers()
        fields = config.model_dump(exclude={"layer"})
        self.text_model = library.CLIPTextModel(library.CLIPTextConfig(**fields))
        if config.layer == "penultimate":
            layers = self.text_model.encoder.layers
            layers[-1] = PassedLayer(layers[-1])
        # Positions are given in `forward`: a table that no weight file restores would have to be
        # drawn with all the weights before a file is mapped over them.
        del self.text_model.embeddings.position_ids

    def assets(self) -> dict[str, bytes]:
        """Return vocab.json and merges.txt, if it has a tokenizer."""
        return {} if self._vocabulary is None else self._vocabulary.files

    def set_assets(self, assets: Mapping[str, bytes]) -> None:
        """Take a tokenizer: vocab.json and merges.txt as published with CLIP, or tokenizer.json.

        Raises:
            ModelFileError: one of the two is missing or damaged.
            InvalidConfigError: its token ids are not those of the configuration.
        """
        if assets:
            vocabulary = ClipVocabulary(assets)
            vocabulary.check(self._clip)
            self._vocabulary = vocabulary

    def prepare(self, inputs: Sequence[Text], _geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "tokens" (B, max_position_embeddings) int64.

        Raises:
            InvalidInputError: a text has too many tokens.
            InvalidConfigError: there is no tokenizer yet.
        """
        rows = [self._row(value.text) for value in inputs]
        tokens = torch.tensor(rows, dtype=torch.int64)
        return {"tokens": tokens.view(len(rows), self._clip.max_position_embeddings)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, max_position_embeddings, hidden_size)."""
        return ConditionPart(Stream(self._encoded(batch["tokens"])))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the encoding of the empty text for that many rows."""
        device = self.text_model.final_layer_norm.weight.device
        encoded = self._encoded(torch.tensor([self._filled([])], device=device))
        return ConditionPart(Stream(encoded.expand(rows, -1, -1)))

    def _encoded(self, tokens: Tensor) -> Tensor:
        """Return (B, N, hidden_size) of ids (B, N)."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)[None]
        encoded: Tensor = self.text_model(tokens, position_ids=positions).last_hidden_state
        return encoded

    def _row(self, text: str) -> list[int]:
        if self._vocabulary is None:
            raise InvalidConfigError(
                "this CLIP text conditioner has no tokenizer: load one with its pipeline, or give "
                "it CLIP's vocab.json and merges.txt with set_assets()"
            )
        ids = self._vocabulary.encode(text)
        check_length(text, len(ids), self._clip.max_position_embeddings - 2)
        return self._filled(ids)

    def _filled(self, ids: Sequence[int]) -> list[int]:
        """Return the ids of a text between start and end, filled up with padding."""
        row = [self._clip.bos_token_id, *ids, self._clip.eos_token_id]
        padding = self._clip.max_position_embeddings - len(row)
        return row + [self._clip.pad_token_id] * padding


class PassedLayer(nn.Module):
    """A layer that does nothing, but has the weights that published files hold for it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        for name, part in layer.named_children():
            self.add_module(name, part)

    def forward(self, hidden_states: Tensor, *_args: Any, **_options: Any) -> Tensor:
        """Return what it is given."""
        return hidden_states
