"""Configurations alone decide whether components fit together."""

import pytest

from latelier.contracts.configs import (
    ConditionerConfig,
    DenoiserConfig,
    FirstStageConfig,
    InputSpec,
    OutputSpec,
    StreamSlot,
)
from latelier.contracts.errors import CompatibilityError
from latelier.pipeline.compatibility import check_composition


class FourChannels(FirstStageConfig):
    @property
    def latent_channels(self):
        return 4


class Denoises(DenoiserConfig):
    channels: int = 4
    wants: InputSpec = InputSpec()

    @property
    def latent_channels(self):
        return self.channels

    def inputs(self):
        return self.wants


class Conditions(ConditionerConfig):
    given: OutputSpec

    def outputs(self):
        return self.given


def check(takes=None, channels=4, **gives):
    conditioners = {name: Conditions(given=OutputSpec(**each)) for name, each in gives.items()}
    check_composition(
        FourChannels(), Denoises(channels=channels, wants=takes or InputSpec()), conditioners
    )


TEXT = InputSpec(streams={"text": StreamSlot(width=8)})
ALL = InputSpec(streams={"a": StreamSlot(width=8)}, spatial={"a": 3}, vectors={"a": 5})


def test_compatible_parts_pass():
    check()
    check(TEXT, text={"stream": 8})
    check(ALL, a={"stream": 8, "spatial": 3, "vector": 5})


def test_a_stream_or_vector_without_a_source_is_allowed():
    check(TEXT)
    check(InputSpec(vectors={"size": 4}))


@pytest.mark.parametrize(
    ("takes", "gives", "message"),
    [
        (TEXT, {"text": {"stream": 9}}, "'text' gives a stream part of width 9, .* takes 8"),
        (ALL, {"a": {"spatial": 4}}, "'a' gives a spatial part of width 4, the denoiser takes 3"),
        (ALL, {"a": {"spatial": 3, "vector": 4}}, "a vector part of width 4, the denoiser takes 5"),
        (TEXT, {"txt": {"stream": 8}}, "takes none of that name. Did you mean 'text'"),
        (TEXT, {"text": {"vector": 8}}, "'text' gives a vector part, .* none of that name"),
        (
            InputSpec(spatial={"mask": 1}),
            {},
            "takes the spatial part 'mask', and no conditioner has",
        ),
    ],
)
def test_incompatible_parts_are_explained(takes, gives, message):
    with pytest.raises(CompatibilityError, match=message):
        check(takes, **gives)


def test_latent_channels_must_agree():
    with pytest.raises(CompatibilityError, match="latents of 4 channels, the denoiser takes 3"):
        check(channels=3)


def test_all_faults_are_listed_at_once():
    with pytest.raises(CompatibilityError) as caught:
        check(TEXT, channels=3, text={"stream": 9}, other={"vector": 1})
    assert len(str(caught.value).split("; ")) == 3


def test_a_spatial_slot_filled_by_a_stream_is_an_error():
    message = "takes the spatial part 'mask', and the conditioner of that name gives none"
    takes = InputSpec(spatial={"mask": 1}, streams={"mask": StreamSlot(width=8)})
    with pytest.raises(CompatibilityError, match=message):
        check(takes, mask={"stream": 8})
