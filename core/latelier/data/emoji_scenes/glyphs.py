"""The pictograms the scenes are made of, and the vocabularies that name subsets of them."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

ASSETS = Path(__file__).parent / "assets"

VocabularyName = Literal["basic", "all"]
VOCABULARIES: tuple[VocabularyName, ...] = get_args(VocabularyName)

# Unicode's top-level groups, in its order; each has an id in the semantic map.
GROUPS = (
    "Smileys & Emotion",
    "People & Body",
    "Animals & Nature",
    "Food & Drink",
    "Travel & Places",
    "Activities",
    "Objects",
    "Symbols",
)


@dataclass(frozen=True, slots=True)
class Glyph:
    """One pictogram: its tile in the atlas, and its code point, name and groups in Unicode."""

    index: int
    code_point: str
    name: str
    group: str
    subgroup: str


@functools.cache
def all_glyphs() -> tuple[Glyph, ...]:
    """Return every glyph of the atlas, in atlas order (Unicode's order)."""
    records = json.loads((ASSETS / "glyphs.json").read_text(encoding="utf-8"))
    return tuple(Glyph(index, **record) for index, record in enumerate(records))


@functools.cache
def vocabulary(name: VocabularyName) -> tuple[Glyph, ...]:
    """Return the glyphs of a vocabulary; a glyph's position in it is its class id.

    `"all"` is the whole atlas. `"basic"` is 512 objects that stay distinct from each other
    at 64 pixels; its order is fixed, since trained models depend on it.
    """
    if name == "all":
        return all_glyphs()
    by_name = {glyph.name: glyph for glyph in all_glyphs()}
    names = (ASSETS / "basic.txt").read_text(encoding="utf-8").splitlines()
    return tuple(by_name[line] for line in names)
