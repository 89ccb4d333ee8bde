"""Names and numbers of entries that a request gives, as entries of the database."""

from dataclasses import dataclass

from latelier.contracts.databases import Database
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.messages import shorten
from latelier.pipeline.planning.references.slots import Source


@dataclass(frozen=True)
class EntryNames:
    """The names of a database. Errors are about a field of the request.

    Attributes:
        database: None: there is none.
        source: its id, for messages.
    """

    database: Database | None
    source: str

    def find(self, text: str) -> tuple[int, ...]:
        """Return the entries that a text as a whole names: several for "two dogs", or none."""
        if self.database is None:
            return ()
        wanted = text.strip().casefold()
        for number, entry in enumerate(self.database.entries):
            if entry.name.casefold() == wanted:
                return (number,)
        found = self.database.find(text)
        if len(found) == 1 and text[found[0].start : found[0].end].casefold() == wanted:
            return found[0].entries
        return ()

    def read(self, field: str, text: str) -> tuple[int, ...]:
        """Return the entries that a text names.

        Raises:
            InvalidInputError: it names none; the error has the nearest names.
        """
        found = self.find(text)
        if not found:
            database = self.require(field, f"'{shorten(text)}' is a name")
            nearest = ", ".join(f"'{each}'" for each in database.nearest(text))
            raise InvalidInputError.of_field(
                field, f"{self.source} has no '{shorten(text)}'; the nearest names are {nearest}"
            )
        return found

    def check_number(self, field: str, number: int) -> int:
        """Return a number that an entry has.

        Raises:
            InvalidInputError: no entry has it.
        """
        count = len(self.require(field, f"{shorten(str(number))} is a number").entries)
        if number >= count:
            raise InvalidInputError.of_field(
                field,
                f"{self.source} has no entry {shorten(str(number))}; its numbers are 0 to "
                f"{count - 1}",
            )
        return number

    def describe(self, shown: Source) -> str:
        """Return what a slot shows, for messages."""
        if isinstance(shown, int) and self.database is not None:
            return f"'{self.database.entries[shown].name}'"
        return "a picture"

    def require(self, field: str, what: str) -> Database:
        """Return the database.

        Raises:
            InvalidInputError: there is none; `what` in the request needs it.
        """
        if self.database is None:
            raise InvalidInputError.of_field(
                field, f"{what}, and this model has no database; give a picture, or a `database`"
            )
        return self.database
