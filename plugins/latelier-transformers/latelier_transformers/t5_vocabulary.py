"""T5's tokenizer: a sentencepiece model, kept in memory."""

import sentencepiece
from latelier.kernel.errors import ModelFileError

PAD, END = 0, 1
"""Ids of the tokens that are no text, the same in every T5."""


class T5Vocabulary:
    """Turns texts into token ids. It never changes, and threads may share it.

    Raises:
        ModelFileError: the bytes are not T5's tokenizer.
    """

    def __init__(self, model: bytes) -> None:
        self.model = model
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError:
            raise ModelFileError(
                f"these {len(model)} bytes are not a sentencepiece vocabulary"
            ) from None
        ids = (self._processor.pad_id(), self._processor.eos_id())
        if ids != (PAD, END):
            raise ModelFileError(
                f"not T5's vocabulary: padding and end are {ids}, not {(PAD, END)}"
            )

    def __len__(self) -> int:
        return int(self._processor.get_piece_size())

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without the end token."""
        ids: list[int] = self._processor.encode(text)
        return ids
