import pytest
from PIL import Image

from latelier.contracts.databases import Entry, Guess
from latelier.contracts.errors import DataError
from latelier.databases.picture_database import PictureDatabase

ENTRIES = [
    Entry("red apple", ("apple",), ("fruit",)),
    Entry("dog", ("puppy", "hound"), ("pet", "fruit")),
    Entry("two hearts"),
    Entry("heart"),
    Entry("houses"),
    Entry("house", ("home", "dog")),
    Entry("Mrs. Claus"),
]
DATABASE = PictureDatabase(ENTRIES, lambda number: Image.new("RGBA", (number + 1, 1)))


def find(text):
    return [
        (text[each.start : each.end], [ENTRIES[entry].name for entry in each.entries])
        for each in DATABASE.find(text)
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a red apple", [("a red apple", ["red apple"])]),
        ("An APPLE", [("An APPLE", ["red apple"])]),
        ("a red, apple", [("apple", ["red apple"])]),
        ("two dogs and a puppy", [("two dogs", ["dog"] * 2), ("a puppy", ["dog"])]),
        ("the 3 hounds", [("the 3 hounds", ["dog"] * 3)]),
        ("dogs", [("dogs", ["dog"])]),
        ("two hearts", [("two hearts", ["two hearts"])]),
        ("three hearts", [("three hearts", ["heart"] * 3)]),
        ("houses", [("houses", ["houses"])]),
        ("two houses", [("two houses", ["house"] * 2)]),
        ("my Mrs Claus", [("my Mrs Claus", ["Mrs. Claus"])]),
        ("doghouse, #1 dogmatic", []),
        ("a two a", []),
    ],
)
def test_find(text, found):
    assert find(text) == found


def test_a_guess_is_by_tag_then_by_spelling():
    assert DATABASE.guess("fruits") == Guess(0, "tag")
    assert DATABASE.guess("Pet") == Guess(1, "tag")
    assert DATABASE.guess("hous") == Guess(5, "spelling")
    assert DATABASE.guess("hosue") == Guess(5, "spelling")
    assert DATABASE.guess("thouse") is None  # another word, not a misspelt one
    assert DATABASE.guess("xyzzy") is None
    assert DATABASE.guess("") is None


def test_nearest_are_names():
    assert DATABASE.nearest("Haus")[0] in ("house", "houses")
    assert len(DATABASE.nearest("x" * 10_000)) <= 3


def test_pictures_are_read_by_number():
    assert DATABASE.picture(4).size == (5, 1)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat", "CAT"], "two entries have the name 'CAT'"),
        (["red cat", "red-cat"], "two entries have the name 'red-cat': 'red cat'"),
        (["cat", "?"], "expected a name with letters, got '\\?'"),
    ],
)
def test_names_must_differ(names, message):
    with pytest.raises(DataError, match=message):
        PictureDatabase([Entry(name) for name in names], DATABASE.picture)
