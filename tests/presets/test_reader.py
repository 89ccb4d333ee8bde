"""Presets are found by name or by path; a wrong one is one error that names the file."""

import pytest

from latelier.contracts.errors import InvalidConfigError, UnknownNameError
from latelier.presets import preset_names, read_preset

MODEL = """
first_stage: {preset: kl-f8, config: {scale_factor: 0.5}}
denoiser: {id: unet, config: {model_channels: 32}}
conditioners:
  text: {id: text, config: {width: 16}, parameters: 7}
process: {kind: vp}
defaults: {size: 64}
"""


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return str(path)

    return write


def test_a_user_file_is_read(written):
    found = read_preset(written(MODEL))
    assert found.first_stage.id == "latelier/autoencoder_kl"
    assert found.first_stage.config["scale_factor"] == 0.5
    assert found.first_stage.config["ch_mult"] == [1, 2, 4, 4]
    assert list(found.parts()) == ["first_stage", "denoiser", "conditioners.text"]
    assert found.parameters is None


def test_presets_are_not_shared_between_callers(written):
    read_preset(written(MODEL))
    assert "scale_factor" not in read_preset("kl-f8").first_stage.config


def test_names_are_in_natural_order_and_first_stages_come_first():
    names = preset_names()
    assert names[:4] == ("kl-f4", "kl-f8", "kl-f16", "kl-f32")
    alone = [read_preset(name).denoiser is None for name in names]
    assert alone == sorted(alone, reverse=True)


def test_an_unknown_name_gets_the_nearest_as_a_hint():
    with pytest.raises(UnknownNameError, match=r"'cin265' not found.*Did you mean 'cin256'\?"):
        read_preset("cin265")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("first_stage: {id: identity}\nfirst: 1", "there is no field 'first'"),
        ("denoiser: {id: unet}", "the field 'first_stage' is required"),
        (MODEL.replace("process: {kind: vp}\n", ""), "a model needs a process and defaults"),
        (MODEL.replace("defaults: {size: 64}\n", ""), "a model needs a process and defaults"),
        ("first_stage: {id: identity}\nconditioners: {a: {id: b}}", "has conditioners, but no"),
        (
            "first_stage: {preset: kl-f8, confg: {}}",
            "unknown field 'first_stage.confg'. Did you mean",
        ),
        (
            "first_stage: {preset: kl-f8, config: [1]}",
            "'first_stage.config': expected fields, got [1]",
        ),
        ("first_stage: {preset: kl-f9}", "preset 'kl-f9' not found"),
        ("- a", "expected a mapping"),
    ],
)
def test_an_invalid_file_is_an_error(written, text, why):
    with pytest.raises((InvalidConfigError, UnknownNameError)) as caught:
        read_preset(written(text))
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(InvalidConfigError, match=r"none\.yaml: not found"):
        read_preset(tmp_path / "none.yaml")
