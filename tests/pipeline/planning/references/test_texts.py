import pytest

from latelier.contracts.databases import Entry
from latelier.databases.picture_database import PictureDatabase
from latelier.pipeline.planning.references.names import EntryNames
from latelier.pipeline.planning.references.slots import Slots
from latelier.pipeline.planning.references.texts import bind_text

CAT, DOG, OWL, COW = range(4)
DATABASE = PictureDatabase([Entry(name) for name in ("cat", "dog", "owl", "cow")], lambda _: None)
NAMES = EntryNames(DATABASE, "my/pets")


def bind(text, shown=(), most=3, vocabulary=(), names=NAMES):
    slots = Slots(list(shown))
    bound = bind_text(text, slots, most, names, vocabulary)
    return bound.text, list(slots), list(bound.warnings)


@pytest.mark.parametrize(
    ("text", "shown", "bound", "slots"),
    [
        ("two dogs in a meadow", [], "#1 and #2 in a meadow", [DOG, DOG]),
        ("three owls", [], "#1, #2 and #3", [OWL] * 3),
        ("a cat beside a dog", [], "#1 beside #2", [CAT, DOG]),
        ("a cat and a dog, the cat above", [], "#1 and #2, #1 above", [CAT, DOG]),
        ("the cat and the dog", [], "#1 and #2", [CAT, DOG]),
        ("a cat beside a dog", [DOG, CAT], "#2 beside #1", [DOG, CAT]),
        ("#1 beside a cat", ["mine"], "#1 beside #2", ["mine", CAT]),
        ("a cat beside a dog", ["mine"], "#1 beside #2", ["mine", DOG]),
    ],
)
def test_mentions_become_slots(text, shown, bound, slots):
    assert bind(text, shown) == (bound, slots, [])


def test_what_does_not_fit_is_named():
    text, slots, warnings = bind("a cat, a dog and two owls", most=3)
    assert (text, slots) == ("#1, #2 and #3", [CAT, DOG, OWL])
    assert warnings == ["it names 4 objects, and there is room for 3; of 'two owls' 1 is drawn"]
    text, _, warnings = bind("a cat and a dog", most=1)
    assert text == "#1 and a dog"
    assert warnings == ["it names 2 objects, and there is room for 1; of 'a dog' none are drawn"]


def test_a_word_for_another_entry_is_named():
    assert bind("a cow", [CAT])[2] == ["'a cow' stands for reference 1, which shows 'cat'"]


def test_a_slot_without_a_reference_is_named():
    assert bind("#2 and #1", ["mine"])[2] == ["'#2' stands for reference 2, and there are 1"]


def test_a_text_whose_vocabulary_has_no_slots_stays():
    text, slots, _ = bind("a cat", vocabulary=("a", "cat", "dog"))
    assert (text, slots) == ("a cat", [CAT])


def test_without_a_database_a_text_stays():
    assert bind("a cat", names=EntryNames(None, "")) == ("a cat", [], [])


def test_a_bound_text_is_bound_to_the_same_again():
    text, slots, _ = bind("a cat, a dog and two owls")
    assert bind(text, slots) == (text, slots, [])
