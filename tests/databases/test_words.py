import pytest

from latelier.databases.words import phrase, pluralize, split_words


@pytest.mark.parametrize(
    ("one", "several"),
    [
        ("dog", "dogs"),
        ("Red Apple", "red apples"),
        ("loaf of bread", "loaves of bread"),
        ("books", "books"),
        ("mouse", "mice"),
        ("policewoman", "policewomen"),
        ("women holding hands", "women holding hands"),
        ("berry", "berries"),
        ("toy", "toys"),
        ("bus", "buses"),
        ("box", "boxes"),
        ("tomato", "tomatoes"),
        ("yo-yo", "yo yos"),
    ],
)
def test_plurals(one, several):
    assert pluralize(one) == several


def test_words_know_their_place_and_slots_are_none():
    text = "#1 beside Mrs. Claus’s T-Rex, #cat"
    found = [(word.form, text[word.start : word.end]) for word in split_words(text)]
    assert found[:4] == [
        ("beside", "beside"),
        ("mrs", "Mrs"),
        ("claus's", "Claus’s"),
        ("t", "T"),
    ]
    assert phrase("#1 #cat 2") == ("2",)
