"""Each check of the contract of databases fails on a database with that fault."""

import pytest
from PIL import Image

from latelier.contracts.databases import Entry, Guess, Mention
from latelier.databases.picture_database import PictureDatabase
from latelier.testing import DatabaseContract

ENTRIES = [Entry("cat"), Entry("red apple"), Entry("dog")]


def show(_number):
    return Image.new("RGBA", (4, 4), "red")


def find_singular(text):
    return [Mention(m.start, m.end, m.entries[:1]) for m in GOOD.find(text)]


GOOD = PictureDatabase(ENTRIES, show)

FAULTS = {
    "test_it_has_entries_with_different_names": {"entries": [Entry("cat"), Entry("Cat")]},
    "test_its_pictures_show_something": {"picture": lambda _: Image.new("RGBA", (4, 4))},
    "test_it_finds_each_name": {"find": lambda text: GOOD.find(text.replace("red", ""))},
    "test_it_finds_the_plural_of_each_name": {"find": find_singular},
    "test_its_mentions_are_in_order": {"find": lambda text: GOOD.find(text)[::-1]},
    "test_a_text_without_names_has_no_mentions": {"find": lambda _: [Mention(0, 1, (0,))]},
    "test_it_helps_with_unknown_words": {"nearest": lambda _: ["no such name"]},
}


class Made:
    """A good database, but for what it is given."""

    def __init__(self, **faults):
        own = ("entries", "find", "guess", "nearest", "picture")
        vars(self).update({name: getattr(GOOD, name) for name in own} | faults)


def contract(database):
    return type("Kit", (DatabaseContract,), {"component": "x/y", "database": database})()


@pytest.mark.parametrize(("check", "faults"), FAULTS.items())
def test_a_check_fails_on_its_fault_alone(check, faults):
    getattr(contract(GOOD), check)()
    with pytest.raises(AssertionError):
        getattr(contract(Made(**faults)), check)()


def test_other_pictures_and_guesses_are_faults():
    for faults in ({"picture": lambda _: Image.new("RGB", (4, 4))}, {"picture": lambda _: None}):
        with pytest.raises(AssertionError):
            contract(Made(**faults)).test_its_pictures_show_something()
    for guess in (Guess(3, "tag"), 1):
        with pytest.raises(AssertionError):
            contract(Made(guess=lambda _, each=guess: each)).test_it_helps_with_unknown_words()
