"""Configuration of the paper's text encoder. Its input is a `Text`."""

from typing import Literal

from pydantic import Field

from latelier.contracts.bounds import Layers, Rows, Tokens, Width
from latelier.contracts.configs import ConditionerConfig, OutputSpec


class BertTextConfig(ConditionerConfig):
    """A transformer over WordPiece tokens. Fields have the names of published configurations."""

    n_embed: Width = Field(description="width of the encoder and of its tokens")
    n_layer: Layers = Field(ge=0, description="transformer layers")
    vocab_size: Rows = Field(
        default=30522,
        ge=4,
        description="tokens of the vocabulary; bert-base-uncased has 30522",
    )
    max_seq_len: Tokens = Field(
        default=77,
        ge=2,
        description="tokens of every padded text, including its start and end tokens",
    )

    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=self.n_embed)

    @property
    def reference_role(self) -> Literal["text"]:
        return "text"
