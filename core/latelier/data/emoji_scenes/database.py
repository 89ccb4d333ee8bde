"""The drawings of the emoji scenes as a database: `latelier/emoji`."""

import functools
import json

import PIL.Image

from latelier.contracts.databases import Entry
from latelier.data.emoji_scenes.artwork import glyph_artwork
from latelier.data.emoji_scenes.glyphs import ASSETS, all_glyphs
from latelier.databases.picture_database import PictureDatabase


@functools.cache
def emoji_database() -> PictureDatabase:
    """Return the database of all drawings of the atlas; the number of an entry is its index."""
    words = json.loads((ASSETS / "words.json").read_text(encoding="utf-8"))
    common = _read_synonyms()
    entries = [
        Entry(
            glyph.name,
            (*common.get(glyph.name, ()), *words.get(glyph.name, {}).get("synonyms", ())),
            tuple(words.get(glyph.name, {}).get("tags", ())),
            glyph.group.lower().replace("&", "and"),
        )
        for glyph in all_glyphs()
    ]
    return PictureDatabase(entries, _draw)


def _draw(index: int) -> PIL.Image.Image:
    return PIL.Image.fromarray(glyph_artwork(index).picture())


def _read_synonyms() -> dict[str, tuple[str, ...]]:
    """Return the common words for a drawing by its name, from lines 'name: word, word'."""
    lines = (ASSETS / "synonyms.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(": ") for line in lines)
    return {name: tuple(words.split(", ")) for name, words in pairs}
