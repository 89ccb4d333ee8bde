"""The CLIP text conditioner."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from latelier import Conditioner, ConditionPart, PictureGeometry, Stream
from latelier.contracts.errors import InvalidConfigError
from latelier.nn.packed import adopt_layers
from latelier_conditioners.text.inputs import Text, check_length
from torch import Tensor, nn

from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.clip_text.vocabulary import ClipVocabulary
from latelier_transformers.library import transformers


class ClipTextConditioner(Conditioner[ClipTextConfig]):
    """Encodes texts with CLIP's causal transformer (Radford et al. 2021, arXiv:2103.00020).

    The stream is unmasked, because Stable Diffusion was trained to attend to the encoded padding.
    The unconditional part is the empty text.
    """

    Input = Text

    def __init__(self, config: ClipTextConfig) -> None:
        super().__init__(config)
        self._tokenizer: ClipVocabulary | None = None
        library = transformers()
        fields = config.model_dump(exclude={"layer"})
        self.text_model = library.CLIPTextModel(library.CLIPTextConfig(**fields))
        if config.layer == "penultimate":
            layers = self.text_model.encoder.layers
            layers[-1] = SkippedLayer(layers[-1])
        adopt_layers(self.text_model)
        # `_encode` passes positions itself. No weight file holds this table; to keep it would mean
        # to initialise all weights before a file is mapped over them.
        del self.text_model.embeddings.position_ids

    def assets(self) -> dict[str, bytes]:
        """Return the files of the tokenizer, if it has one."""
        return {} if self._tokenizer is None else self._tokenizer.files

    def set_assets(self, assets: Mapping[str, bytes]) -> None:
        """Set the tokenizer: vocab.json and merges.txt as published with CLIP, or tokenizer.json.

        With added_tokens.json the words of textual inversion are known too.

        Raises:
            ModelFileError: a file is missing or damaged.
            InvalidConfigError: the token ids differ from those of the configuration.
        """
        if assets:
            tokenizer = ClipVocabulary(assets)
            tokenizer.check(self.config)
            self._tokenizer = tokenizer

    def prepare(self, inputs: Sequence[Text], _geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "tokens" (B, max_position_embeddings) int64.

        Raises:
            InvalidInputError: a text has too many tokens.
            InvalidConfigError: the conditioner has no tokenizer yet.
        """
        rows = [self._tokenize(value.text) for value in inputs]
        tokens = torch.tensor(rows, dtype=torch.int64)
        return {"tokens": tokens.view(len(rows), self.config.max_position_embeddings)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the stream (B, max_position_embeddings, hidden_size)."""
        return ConditionPart(Stream(self._encode(batch["tokens"])))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the encoding of the empty text for `rows` rows."""
        device = self.text_model.final_layer_norm.weight.device
        encoded = self._encode(torch.tensor([self._pad([])], device=device))
        return ConditionPart(Stream(encoded.expand(rows, -1, -1)))

    def _encode(self, tokens: Tensor) -> Tensor:
        """Return (B, N, hidden_size) of ids (B, N)."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)[None]
        return self.text_model(tokens, position_ids=positions).last_hidden_state

    def _tokenize(self, text: str) -> list[int]:
        if self._tokenizer is None:
            raise InvalidConfigError(
                "this CLIP text conditioner has no tokenizer: load one with its pipeline, or give "
                "it CLIP's vocab.json and merges.txt with set_assets()"
            )
        ids = self._tokenizer.encode(text)
        check_length(text, len(ids), self.config.max_position_embeddings - 2)
        return self._pad(ids)

    def _pad(self, ids: Sequence[int]) -> list[int]:
        """Return the ids of a text between start and end token, padded."""
        row = [self.config.bos_token_id, *ids, self.config.eos_token_id]
        padding = self.config.max_position_embeddings - len(row)
        return row + [self.config.pad_token_id] * padding


class SkippedLayer(nn.Module):
    """A layer that does nothing, with the weights that published files hold for it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        for name, part in layer.named_children():
            self.add_module(name, part)

    def forward(self, hidden_states: Tensor, *_args: Any, **_options: Any) -> Tensor:
        """Return `hidden_states`."""
        return hidden_states
