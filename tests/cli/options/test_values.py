"""Parsing option values."""

import pytest

from latelier.cli.options.values import (
    json_or_text,
    read_guidance,
    read_json_file,
    read_named_options,
    read_size,
)
from latelier.contracts.errors import InvalidInputError


def test_sizes_are_parsed():
    assert read_size("64", "--size") == (64, 64)
    assert read_size("96x64", "--size") == read_size("96X64", "--size") == (96, 64)


@pytest.mark.parametrize("text", ["", "64.5", "-8", "64x", "x64", "64x64x64", "64 x 64"])
def test_invalid_sizes_are_refused(text):
    with pytest.raises(InvalidInputError, match=r"^--window: .*WIDTHxHEIGHT"):
        read_size(text, "--window")


def test_names_with_options_are_parsed():
    assert read_named_options("ddim", "--sampler") == {"name": "ddim", "options": {}}
    assert read_named_options("a/ddim:eta=0.5,clip=true,kind=fast", "--sampler") == {
        "name": "a/ddim",
        "options": {"eta": 0.5, "clip": True, "kind": "fast"},
    }
    assert read_guidance("2.5") == 2.5
    assert read_guidance("cfg:scale=3") == {"name": "cfg", "options": {"scale": 3}}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ('a:scales={"text":5,"layout":2},b=1', {"scales": {"text": 5, "layout": 2}, "b": 1}),
        ("a:interval=[0.3,5],b=[[1],[2,3]]", {"interval": [0.3, 5], "b": [[1], [2, 3]]}),
        ('a:also={"a dog, x=1":4,"\\"}":-2}', {"also": {"a dog, x=1": 4, '"}': -2}}),
        ('a:t="1,2",u=x"y,v= {"k": [1, {}]}', {"t": "1,2", "u": 'x"y', "v": {"k": [1, {}]}}),
        ("a:t=[x", {"t": "[x"}),
    ],
)
def test_options_may_be_json(text, options):
    assert read_named_options(text, "--guidance") == {"name": "a", "options": options}


@pytest.mark.parametrize("text", ["ddim:eta", "ddim:=1", ":eta=1", "ddim:eta=1,eta=2", "ddim:a=1,"])
def test_invalid_names_with_options_are_refused(text):
    with pytest.raises(InvalidInputError, match="--sampler: "):
        read_named_options(text, "--sampler")


DEEP = {"unfinished": "[" * 50_000, "valid": "[" * 400 + "]" * 400, "objects": '{"a":' * 50_000}


@pytest.mark.parametrize("deep", DEEP.values(), ids=DEEP)
def test_deep_json_is_refused_in_one_short_line(tmp_path, deep):
    (tmp_path / "deep.json").write_text(deep)
    for read in (
        lambda: json_or_text(deep, "--option"),
        lambda: read_json_file(tmp_path / "deep.json", "--option"),
        lambda: read_named_options(f"ddim:eta={deep}", "--option"),
        lambda: read_named_options(f"@{tmp_path / 'deep.json'}", "--option"),
    ):
        with pytest.raises(InvalidInputError, match=r"^--option: .*nested at most 32") as caught:
            read()
        assert len(str(caught.value)) < 300


def test_long_sizes_are_refused_in_one_short_line():
    with pytest.raises(InvalidInputError, match=r"^--size: .*got '1{80}\.\.\.'$"):
        read_size("1" * 5000, "--size")


def test_a_name_with_options_is_read_from_a_file(tmp_path):
    file = tmp_path / "tuned.json"
    file.write_text('{"name": "fixed", "options": {"sigmas": [1, 0]}}')
    assert read_named_options(f"@{file}", "--schedule") == {
        "name": "fixed",
        "options": {"sigmas": [1, 0]},
    }


@pytest.mark.parametrize(
    ("text", "why"), [("{", "as JSON"), ("[]", "expected an object"), ("{}", "name")]
)
def test_an_invalid_options_file_is_refused(tmp_path, text, why):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InvalidInputError, match=f"--schedule: .*{why}"):
        read_named_options(f"@{tmp_path / 'a.json'}", "--schedule")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_named_options("@none.json", "--schedule")
