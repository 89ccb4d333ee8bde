import pytest

from latelier.contracts.databases import Entry
from latelier.databases.picture_database import PictureDatabase
from latelier.pipeline.planning.references.mentions import read_mentions

ENTRIES = [
    Entry("cat", ("kitten",), ("fluffy",)),
    Entry("tangerine", ("orange",)),
    Entry("sunset"),
    Entry("desert"),
    Entry("dragon", (), ("wyvern",)),
]
DATABASE = PictureDatabase(ENTRIES, lambda _: None)
WORDS = "#1 a an and at background blue desert in meadow of on orange sunset the to left"
KNOWN = WORDS.split()


def read(text, vocabulary=KNOWN):
    reading = read_mentions(text, DATABASE, "my/pets", vocabulary)
    names = [
        (text[m.start : m.end], *(ENTRIES[entry].name for entry in m.entries))
        for m in reading.mentions
    ]
    return names, list(reading.warnings)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a kitten in the desert at sunset", [("a kitten", "cat")]),
        ("a kitten on an orange background", [("a kitten", "cat")]),
        ("an orange on an orange background", [("an orange", "tangerine")]),
        ("a sunset", [("a sunset", "sunset")]),
        ("on an orange background", []),
        ("#1 over an orange to the left", []),
        ("in the desert at sunset", []),
        ("a fluffy cat", [("a cat"[2:], "cat")]),
    ],
)
def test_words_of_the_text_conditioner_are_left_to_it(text, names):
    assert read(text) == (names, [])


def test_without_a_vocabulary_every_mention_counts():
    assert read("a cat at sunset", ()) == ([("a cat", "cat"), ("sunset", "sunset")], [])
    assert read("a wyvern", ()) == ([], [])


def test_unknown_nouns_are_guessed_by_tags_and_spelling_with_a_warning():
    names, warnings = read("two wyverns and a kiten in a meadow")
    assert names == [("two wyverns", "dragon", "dragon"), ("a kiten", "cat")]
    assert warnings == [
        "'wyverns' is not in my/pets; it drew 'dragon': one of its tags",
        "'kiten' is not in my/pets; it drew 'cat': spelt like it",
    ]


def test_an_unknown_noun_without_a_guess_names_the_nearest():
    names, [warning] = read("a draggon fly in a meadow")
    assert names == []
    assert warning.startswith("'draggon fly' is not in my/pets; the nearest names are 'dragon'")


@pytest.mark.parametrize("text", ["a cat sleeping", "#1 beside a cat", "a sleepy cat", "a photo"])
def test_verbs_adjectives_and_words_about_pictures_are_no_objects(text):
    assert read(text)[1] == []
