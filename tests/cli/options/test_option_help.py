"""Names, forms and help of the options that are made from fields."""

import pytest

from latelier.cli.options.option_help import (
    metavar,
    option_help,
    option_name,
    request_fields,
    with_option_names,
)


def test_names():
    assert option_name("init_image") == "--init-image"
    assert option_name("n") == "-n"


def test_only_fields_in_backticks_are_replaced():
    text = "`mask` and `init_image` and `masks`, but no mask"
    assert with_option_names(text) == "--mask and --init-image and `masks`, but no mask"


@pytest.mark.parametrize(
    ("field", "form"),
    [
        ("steps", "N"),
        ("strength", "X"),
        ("size", "SIDE|WxH"),
        ("window", "SIDE|WxH"),
        ("init_image", "FILE"),
        ("mask", "FILE"),
        ("sampler", "NAME[:KEY=VALUE,...]"),
        ("guidance", "SCALE|NAME[:KEY=VALUE,...]"),
        ("noise", "independent|brownian"),
        ("negative", "TEXT"),
    ],
)
def test_forms(field, form):
    assert metavar(request_fields()[field]) == form


def test_a_field_of_several_types_is_text():
    assert metavar({"anyOf": [{"type": "integer"}, {"type": "string"}]}) == "TEXT"


@pytest.mark.parametrize(
    ("bounds", "shown"),
    [
        ({}, ""),
        ({"minimum": 1}, "  [x>=1]"),
        ({"exclusiveMinimum": 0}, "  [x>0]"),
        ({"maximum": 5}, "  [x<=5]"),
        ({"exclusiveMaximum": 5}, "  [x<5]"),
        ({"exclusiveMinimum": 0, "maximum": 1}, "  [0<x<=1]"),
        ({"minimum": 0, "exclusiveMaximum": 1}, "  [0<=x<1]"),
        ({"minimum": 0, "exclusiveMaximum": 2**63}, "  [x>=0]"),
        ({"exclusiveMinimum": 0, "maximum": 2**63}, "  [x>0]"),
        ({"maximum": 2**63}, ""),
    ],
)
def test_ranges(bounds, shown):
    assert option_help({"description": "a number", **bounds}) == f"A number.{shown}"


@pytest.mark.parametrize(
    ("defaults", "model_default", "shown"),
    [
        ({}, None, ""),
        ({"default": None}, None, ""),
        ({"default": 0}, None, " Default: 0."),
        ({"default": None, "default_text": "1 with `mask`"}, None, " Default: 1 with --mask."),
        ({}, "the model's", " Default: the model's."),
        ({"default_text": "any"}, "the model's", " Default: any, else the model's."),
    ],
)
def test_defaults(defaults, model_default, shown):
    assert (
        option_help({"description": "a number", **defaults}, model_default) == f"A number.{shown}"
    )
