"""What the paper's text encoder is configured with. Its input is a `Text`."""

from pydantic import Field

from latelier.contracts.configs import ConditionerConfig, OutputSpec


class BertTextConfig(ConditionerConfig):
    """A transformer over WordPiece tokens, under the names of the published configurations."""

    n_embed: int = Field(ge=1, description="width of the tokens it gives, and of the encoder")
    n_layer: int = Field(ge=0, description="transformer layers")
    vocab_size: int = Field(
        default=30522, ge=4, description="tokens of the vocabulary; bert-base-uncased has 30522"
    )
    max_seq_len: int = Field(
        default=77,
        ge=2,
        description="tokens that every text is padded to, its start and end token counted",
    )

    def outputs(self) -> OutputSpec:
        """Return the slots that it fills."""
        return OutputSpec(stream=self.n_embed)
