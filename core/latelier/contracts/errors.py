"""The errors that latelier raises. Their text is meant to be shown to a person."""

from typing import Self


class LatelierError(Exception):
    """Base of all errors below. Catch it to catch every error that a user can fix.

    Attributes:
        field: the value at fault, as a dotted path such as 'size' or 'prompt.text', so that a host
            can mark it in a form; None if the error is not about a single value.
        reason: the text without the field in front, for a host that has another name for the field;
            other fields are in it as `name`. None where the text does not begin with the field.
    """

    def __init__(self, *args: object, field: str | None = None) -> None:
        super().__init__(*args)
        self.field = field
        self.reason: str | None = None

    @classmethod
    def of_field(cls, field: str, reason: str) -> Self:
        """Return the error 'field: reason'."""
        error = cls(f"{field}: {reason}", field=field)
        error.reason = reason
        return error


class UnknownNameError(LatelierError, LookupError):
    """A component, keyword, option or model that is not registered."""


class AmbiguousNameError(LatelierError, LookupError):
    """A bare name that several distributions claim."""


class InvalidConfigError(LatelierError, ValueError):
    """A configuration that does not fit its component."""


class InvalidInputError(LatelierError, ValueError):
    """A value given to a run (prompt, size, option ...) that cannot be used."""


class NoProvenanceError(InvalidInputError):
    """A picture that carries no provenance of latelier."""


class LimitError(InvalidInputError):
    """A request that asks for more than its host allows.

    Attributes:
        excess: the reason without how the host raises the limit, for a client who is not the host.
    """

    excess: str

    @classmethod
    def of_limit(cls, field: str, excess: str, remedy: str) -> Self:
        """Return the error 'field: excess; remedy'."""
        error = cls.of_field(field, f"{excess}; {remedy}")
        error.excess = excess
        return error


class ConditionError(LatelierError, ValueError):
    """A part of a condition with an invalid shape, dtype or device."""


class CompatibilityError(LatelierError, ValueError):
    """Components that do not fit together."""


class PluginError(LatelierError):
    """A plugin that breaks the rules of the plugin API."""


class ModelFileError(LatelierError, ValueError):
    """A model file that is missing, damaged, of another format, or not the one in the manifest."""


class DataError(LatelierError, ValueError):
    """A data set that is missing, empty or damaged, or lacks what a training needs."""


class TrainingError(LatelierError, RuntimeError):
    """A training that cannot go on: its loss is unusable, or its checkpoints cannot be written."""


class EvaluationError(LatelierError, RuntimeError):
    """An evaluation that cannot go on, such as one whose process was killed."""


class NotFiniteError(LatelierError, ArithmeticError):
    """NaN or infinity where a computation needs numbers."""


class NotEnoughMemoryError(LatelierError, MemoryError):
    """A model or pictures that do not fit in the memory of a device."""


class EngineError(LatelierError, RuntimeError):
    """A job that an engine cannot take, or whose engine has stopped."""


class QueueFullError(EngineError):
    """A job that an engine refuses because its queue is full.

    Attributes:
        retry_after: seconds until there should be room, as fast as jobs have ended lately.
    """

    def __init__(self, *args: object, field: str | None = None, retry_after: float = 0.0) -> None:
        super().__init__(*args, field=field)
        self.retry_after = retry_after


class JobCancelledError(EngineError):
    """A job that was cancelled before it was finished."""


class DeadlineError(EngineError):
    """A job that was not finished by its deadline."""
