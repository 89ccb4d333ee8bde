"""The vocabulary that OpenAI published with CLIP, which every CLIP of a diffusion model uses.

merges.txt.gz holds the 48,894 merges of its tokens; the licence is LICENSES/MIT-CLIP.txt. The ids
follow from their order (Radford et al. 2021, arXiv:2103.00020).
"""

import gzip
import json
from functools import cache
from importlib.resources import files

from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.clip_text.vocabulary import END, MERGES, START, VOCAB, ClipVocabulary

START_ID, END_ID = 49406, 49407


def fits_published_vocabulary(config: ClipTextConfig) -> bool:
    """Return whether start and end tokens have the published ids."""
    return (config.bos_token_id, config.eos_token_id) == (START_ID, END_ID)


@cache
def published_vocabulary() -> ClipVocabulary:
    """Return the vocabulary, read once."""
    merges = gzip.decompress(
        files("latelier_transformers.clip_text").joinpath("merges.txt.gz").read_bytes()
    )
    vocab = json.dumps(_ids(merges.decode()), ensure_ascii=False)
    return ClipVocabulary({VOCAB: vocab.encode(), MERGES: merges})


def _ids(merges: str) -> dict[str, int]:
    """Return the ids of tokens: bytes, bytes that end a word, merges, start and end."""
    letters = _letters()
    merged = [line.replace(" ", "") for line in merges.splitlines()[1:]]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *merged, START, END]
    return {token: number for number, token in enumerate(tokens)}


def _letters() -> list[str]:
    """Return the characters that stand for bytes: the printable ones of Latin-1 themselves first.

    The other bytes, such as the space, have the characters from U+0100 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in printable] + [chr(0x100 + n) for n in range(256 - len(printable))]
