from latelier.databases.similarity import SpellingIndex

INDEX = SpellingIndex({"butterfly": 4, "butter": 5, "guitar": 6})


def test_the_phrase_with_most_sequences_of_letters_in_common_wins():
    assert INDEX.nearest("buterfly", 0.5) == 4
    assert INDEX.nearest("gutar", 0.5) == 6


def test_nothing_is_near_enough():
    assert INDEX.nearest("gutar", 0.9) is None
    assert INDEX.nearest("xyzzy", 0.0) in (4, 5, 6)
    assert SpellingIndex({}).nearest("cat", 0.0) is None
