"""The contract of databases of reference pictures."""

from collections.abc import Iterator

import PIL.Image

from latelier.contracts.databases import Database, Guess
from latelier.contracts.images.references import visible_box
from latelier.databases.words import phrase, pluralize
from latelier.pipeline.databases import open_database
from latelier.testing.component import ComponentContract


class DatabaseContract(ComponentContract):
    """The contract of databases. A plugin's own test file:

        from latelier.testing import DatabaseContract

        class TestBirds(DatabaseContract):
            component = "latelier-birds/birds"

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        max_pictures: most pictures that are read, evenly spread over the entries.
    """  # noqa: D415

    kind = "database"
    max_pictures = 200

    @property
    def database(self) -> Database:
        """The registered database."""
        return open_database(self.component, self.atelier())

    def test_it_has_entries_with_different_names(self) -> None:
        """A name means one entry, whatever its case."""
        names = [phrase(entry.name) for entry in self.database.entries]
        assert names, "it has no entries"
        assert all(names), "a name has no letters or digits"
        twice = sorted({" ".join(name) for name in names if names.count(name) > 1})
        assert not twice, f"several entries have the name '{twice[0]}'"

    def test_its_pictures_show_something(self) -> None:
        """Each is RGBA, and not transparent everywhere."""
        count = len(self.database.entries)
        step = max(1, -(-count // self.max_pictures))
        for number in range(0, count, step):
            name, picture = self.database.entries[number].name, self.database.picture(number)
            assert isinstance(picture, PIL.Image.Image), f"'{name}' is a {type(picture)}"
            assert picture.mode == "RGBA", f"'{name}' is {picture.mode}: convert it to RGBA"
            assert visible_box(picture) is not None, f"'{name}' is transparent everywhere"

    def test_it_finds_each_name(self) -> None:
        """A prompt finds what it names, and nothing else in the name."""
        for number, name in self._names():
            text = f"{name} #1"
            found = [(text[m.start : m.end], m.entries) for m in self.database.find(text)]
            assert found == [(name, (number,))], f"in '{text}' it finds {found}"

    def test_it_finds_the_plural_of_each_name(self) -> None:
        """A prompt that names "two dogs" mentions the entry "dog" twice."""
        own = [phrase(pluralize(name)) for _, name in self._names()]
        for (number, name), several in zip(self._names(), own, strict=True):
            if several == phrase(name) or own.count(several) > 1:
                continue  # it has no plural of its own
            text = f"two {' '.join(several)}"
            found = [(text[m.start : m.end], m.entries) for m in self.database.find(text)]
            assert found == [(text, (number, number))], f"in '{text}' it finds {found}"

    def test_its_mentions_are_in_order(self) -> None:
        """Mentions can be replaced one by one."""
        names = [name for _, name in self._names()][:3]
        text = f"#1, {', '.join(names)} and #2"
        found = self.database.find(text)
        places = [place for each in found for place in (each.start, each.end)]
        assert len(found) == len(names), f"in '{text}' it finds {len(found)} mentions"
        assert places == sorted(places), f"mentions overlap or are out of order: {places}"

    def test_a_text_without_names_has_no_mentions(self) -> None:
        """Slots of references are no words."""
        for text in ("", " ", "#1", "#1 #2", "?!"):
            assert not self.database.find(text), f"it finds something in '{text}'"

    def test_it_helps_with_unknown_words(self) -> None:
        """The nearest names are names, and a guess is an entry."""
        names = [name for _, name in self._names()]
        for word in (f"{names[0]}x", "xyzzy", "?"):
            nearest = self.database.nearest(word)
            assert len(nearest) <= 3, f"{len(nearest)} names are nearest to '{word}'; at most 3"
            assert set(nearest) <= set(names), f"nearest to '{word}' are no names: {nearest}"
            guess = self.database.guess(word)
            assert guess is None or isinstance(guess, Guess), f"a guess is {guess!r}"
            assert guess is None or 0 <= guess.entry < len(names), f"a guess is {guess!r}"

    def _names(self) -> Iterator[tuple[int, str]]:
        return ((number, entry.name) for number, entry in enumerate(self.database.entries))
