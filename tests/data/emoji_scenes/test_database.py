import pytest

from latelier.data.emoji_scenes.database import emoji_database
from latelier.data.emoji_scenes.glyphs import ASSETS, all_glyphs

NAMES = [glyph.name for glyph in all_glyphs()]


def test_entries_have_the_numbers_of_the_atlas():
    database = emoji_database()
    assert [entry.name for entry in database.entries] == NAMES
    picture = database.picture(NAMES.index("cat"))
    assert (picture.mode, picture.size) == ("RGBA", (128, 128))


@pytest.mark.parametrize(
    ("word", "name"),
    [("kitten", "cat"), ("auto", "red car"), ("puppies", "dog"), ("dinosaur", "T-Rex")],
)
def test_common_words_are_known(word, name):
    [mention] = emoji_database().find(f"a {word}")
    assert [NAMES[entry] for entry in mention.entries] == [name]


def test_every_synonym_of_the_table_means_its_drawing():
    for line in (ASSETS / "synonyms.txt").read_text().splitlines():
        name, words = line.split(": ")
        for word in words.split(", "):
            found = [mention.entries for mention in emoji_database().find(word)]
            assert found == [(NAMES.index(name),)], word
