"""Errors of configurations: one line that names each fault and how to fix it."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.frozen import Frozen, validate
from latelier.contracts.images.types import Image
from latelier.contracts.messages import suggestion


class Inner(Frozen):
    width: int = 1


class Outer(Frozen):
    channels: int = Field(ge=1)
    inner: Inner = Inner()
    by_name: dict[str, Inner] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self):
        if self.channels == 13:
            raise ValueError("13 is unlucky")
        return self


def test_a_frozen_value_cannot_be_changed():
    inner = Inner()
    with pytest.raises(ValidationError):
        inner.width = 2


def test_an_instance_is_returned_unchanged():
    outer = Outer(channels=1)
    assert validate(Outer, outer, "x") is outer
    assert validate(Outer, {"channels": 2}, "x").channels == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "outer: the field 'channels' is required"),
        ({"channels": 0}, r"'channels': Input should be greater than or equal to 1 \(given: 0\)"),
        ({"channels": 1, "inne": {}}, "there is no field 'inne'. Did you mean 'inner'"),
        ({"channels": 1, "inner": {"widht": 2}}, r"'inner\.widht'. Did you mean 'width'"),
        ({"channels": 1, "by_name": {"a": {"widht": 2}}}, r"no field 'by_name\.a\.widht'"),
        ({"channels": "x" * 500}, r"\(given: 'x{80}\.\.\.'\)$"),
        ({"channels": list(range(99))}, r"\(given: \[0, 1, .*\.\.\.\)$"),
        ({"channels": 13}, "^outer: 13 is unlucky$"),
        ({"channels": 0, "a": 1}, "equal to 1 .*; there is no field 'a'"),
        (3, "'value': Input should be a valid dictionary"),
    ],
)
def test_all_errors_are_listed_in_one_line(values, message):
    with pytest.raises(InvalidConfigError, match=message) as caught:
        validate(Outer, values, "outer")
    assert "\n" not in str(caught.value)


def test_the_caller_chooses_the_error_type():
    with pytest.raises(ModelFileError):
        validate(Outer, {}, "file", ModelFileError)


def test_long_values_are_shortened():
    with pytest.raises(InvalidConfigError) as caught:
        validate(Outer, {"channels": "x" * 10_000}, "outer")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("name", "known", "message"),
    [
        ("huen", ["heun", "ddim"], "Did you mean 'heun'? Known: ddim, heun."),
        ("Ddim", ["heun", "DDIM"], "Did you mean 'DDIM'? Known: DDIM, heun."),
        ("EMOJI", ["cat-emoji", "emoji"], "Did you mean 'emoji'? Known: cat-emoji, emoji."),
        ("zzz", ["heun", "ddim"], "Known: ddim, heun."),
        ("zzz", [], "There are none."),
    ],
)
def test_misspelt_names_get_a_suggestion(name, known, message):
    assert suggestion(name, known) == message


class Note(Frozen):
    pitch: int = Field(le=127)


class Melody(Frozen):
    notes: Annotated[list[Note], Field(min_length=1)] | Image
    voices: dict[str, Note] = Field(default_factory=dict)
    tempo: int | None = None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"notes": [{"pitch": 1}, {"pitch": 160}]},
            "'notes.1.pitch': Input should be less than or",
        ),
        ({"notes": [{"pitch": 1, "beat": 2}]}, "there is no field 'notes.0.beat'"),
        ({"notes": [60]}, "'notes.0': Input should be a valid dictionary or instance of Note"),
        ({"notes": [{"pitch": 1}], "tempo": "fast"}, "'tempo': Input should be a valid integer"),
        ({"notes": [{"pitch": 1}], "voices": {"Note": {}}}, "the field 'voices.Note.pitch' is"),
    ],
)
def test_errors_of_a_union_are_those_of_the_nearest_type(values, message):
    with pytest.raises(InvalidConfigError) as fault:
        validate(Melody, values, "melody")
    assert str(fault.value).startswith(f"melody: {message}")
    assert ";" not in str(fault.value)


def test_errors_of_a_union_without_a_nearest_type_are_those_of_all():
    with pytest.raises(InvalidConfigError) as fault:
        validate(Melody, {"notes": 3}, "melody")
    assert "'notes': Input should be a valid list" in str(fault.value)
    assert "'notes': an image is a PIL image, a path, a data URI" in str(fault.value)


class Rest(Frozen):
    kind: Literal["rest"] = "rest"
    beats: int = Field(default=1, ge=1)


class Tone(Frozen):
    kind: Literal["tone"] = "tone"
    pitch: int = Field(default=60, le=127)


class Bar(Frozen):
    first: Annotated[Rest | Tone, Field(discriminator="kind")] | None = None
    others: tuple[Annotated[Rest | Tone, Field(discriminator="kind")], ...] = ()


@pytest.mark.parametrize(
    ("values", "message", "field"),
    [
        (
            {"first": {"kind": "tune"}},
            "'first': there is no kind 'tune'. Did you mean 'tone'? Known: rest, tone.",
            "first",
        ),
        ({"first": {"pitch": 3}}, "the field 'first.kind' is required", "first"),
        (
            {"first": {"kind": "tone", "pich": 3}},
            "there is no field 'first.pich'. Did you mean 'pitch'? Known: kind, pitch.",
            "first.pich",
        ),
        (
            {"others": [{"kind": "rest"}, {"kind": "rest", "beats": 0}]},
            "'others.1.beats': Input should be greater than or equal to 1 (given: 0)",
            "others.1.beats",
        ),
    ],
)
def test_errors_of_a_tagged_union_are_those_of_its_kind(values, message, field):
    with pytest.raises(InvalidConfigError) as fault:
        validate(Bar, values, "bar")
    assert str(fault.value) == f"bar: {message}"
    assert fault.value.field == field
