"""The tokenizer of the text conditioner: a sentencepiece model, kept in memory."""

import io
from collections.abc import Iterable

import sentencepiece

from latelier.contracts.errors import InvalidConfigError, ModelFileError

PAD, START, UNKNOWN = 0, 1, 2
"""Ids of the special tokens. Every text begins with the start token, an empty one too."""

MAX_CAPTION_BYTES = 16384
"""Sentencepiece's training skips longer captions without a message."""


class Tokenizer:
    """Turns texts into token ids. It is immutable, and threads may share it.

    Byte-pair merges (Sennrich et al. 2016, arXiv:1508.07909), which keep the words of captions
    whole. Sentencepiece's unigram model makes a word one token only if it is part of other words
    too, and needs 1.5 times as many tokens. Texts are normalised (NFKC) and
    lower-cased; a character outside the vocabulary falls back to its bytes.
    """

    def __init__(self, model: bytes) -> None:
        self.model = model
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError:
            raise ModelFileError(
                f"these {len(model)} bytes are not a sentencepiece vocabulary"
            ) from None

    @classmethod
    def learn(cls, texts: Iterable[str], size: int) -> "Tokenizer":
        """Return a tokenizer of at most `size` tokens. The same texts give the same bytes.

        Raises:
            InvalidConfigError: `texts` is empty, or its characters alone need more tokens.
        """
        captions = list(texts)
        if not captions:
            raise InvalidConfigError("there are no texts to learn a vocabulary from")
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(captions),
                model_writer=model,
                model_type="bpe",
                vocab_size=size,
                hard_vocab_limit=False,
                byte_fallback=True,
                normalization_rule_name="nmt_nfkc_cf",
                character_coverage=1.0,
                max_sentence_length=MAX_CAPTION_BYTES,
                shuffle_input_sentence=False,
                num_threads=1,
                pad_id=PAD,
                bos_id=START,
                unk_id=UNKNOWN,
                eos_id=-1,
                minloglevel=2,
            )
        except RuntimeError as error:
            reason = str(error).rpartition("] ")[2]
            raise InvalidConfigError(
                f"no vocabulary of {size} tokens can be learnt from these texts: {reason}"
            ) from None
        return cls(model.getvalue())

    def __len__(self) -> int:
        return int(self._processor.get_piece_size())

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, the start token first."""
        return [START, *self._processor.encode(text)]
