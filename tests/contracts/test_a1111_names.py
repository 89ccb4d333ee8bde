import pytest

from latelier.contracts.a1111_names import explain_name, translate_sampler, translate_schedule
from latelier.contracts.errors import UnknownNameError

SAMPLERS = {
    "Euler": "euler",
    "Euler a": "euler_ancestral",
    "Heun": "heun",
    "LMS": "lms",
    "DPM2": "dpm2",
    "DPM2 a": "dpm2_ancestral",
    "DPM++ 2M": "dpmpp_2m",
    "DPM++ SDE": "dpmpp_sde",
    "DPM++ 2M SDE": "dpmpp_2m_sde",
    "DPM++ 3M SDE": "dpmpp_3m_sde",
    "DPM++ 2S a": "dpmpp_2s_ancestral",
    "DDIM": "ddim",
    "PLMS": "plms",
    "UniPC": "unipc",
    "Restart": "restart",
    "LCM": "lcm",
}


@pytest.mark.parametrize(("name", "ours"), SAMPLERS.items())
def test_samplers_of_the_web_ui_are_registered(built_ins, name, ours):
    assert translate_sampler(name) == (ours, None)
    assert ours in built_ins.samplers.names()


def test_every_sampler_keeps_its_own_name(built_ins):
    names = built_ins.samplers.names()
    assert [translate_sampler(name) for name in names] == [(name, None) for name in names]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("DPM++ 2M Karras", ("dpmpp_2m", "karras")),
        ("dpm++_2s_a_karras", ("dpmpp_2s_ancestral", "karras")),
        ("DPM++ 3M SDE Exponential", ("dpmpp_3m_sde", "exponential")),
        ("euler_a", ("euler_ancestral", None)),
        ("Karras", ("karras", None)),
    ],
)
def test_a_schedule_may_end_the_name(name, ours):
    assert translate_sampler(name) == ours


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Karras", "karras"),
        ("Align Your Steps", "align_your_steps"),
        ("SGM Uniform", "model"),
        ("Simple", "model"),
        ("Beta", "beta"),
    ],
)
def test_schedules(built_ins, name, ours):
    assert translate_schedule(name) == ours
    assert ours in built_ins.schedules.names()


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("sampler", "DPM++ 2M Karras", "Here it is `sampler=dpmpp_2m` with `schedule=karras`.$"),
        ("sampler", "euler_a", "there is no sampler 'euler_a'. Here it is `sampler=euler_anc"),
        ("schedule", "Normal", "there is no schedule 'Normal'. Here it is `schedule=model`.$"),
        ("sampler", "Eular", "Did you mean 'euler'"),
        ("sampler", "HEUN", "Did you mean 'heun'"),
    ],
)
def test_an_error_says_what_the_name_is_here(built_ins, kind, name, message):
    with pytest.raises(UnknownNameError, match=message):
        built_ins.registries[kind].spec(name)


def test_other_kinds_have_no_names_there():
    assert explain_name("guidance", "euler_a", ["euler_ancestral"]) == ""
