"""Composing: what does not fit is an error before anything is built; hooks are called once."""

import logging

import pytest
import torch

from latelier import hookimpl
from latelier.checkpoints.component import new_component
from latelier.contracts.errors import (
    CompatibilityError,
    InvalidConfigError,
    InvalidInputError,
    LatelierError,
    UnknownNameError,
)
from latelier.kernel.atelier import Atelier
from latelier.kernel.registry import Registry
from latelier.kernel.trust.policy import Policy
from latelier.pipeline import compose, placement


def denoiser(**changes):
    return lambda parts: ("unet", {**parts["denoiser"][1], **changes})


def text(**changes):
    return lambda parts: {
        **parts["conditioners"],
        "text": ("text", {**parts["conditioners"]["text"][1], **changes}),
    }


CASES = {
    "unknown first stage": (
        {"first_stage": ("autoencoder_lk", {})},
        UnknownNameError,
        "no first stage 'autoencoder_lk'. Did you mean 'autoencoder_kl'",
    ),
    "unknown denoiser": ({"denoiser": ("unett", {})}, UnknownNameError, "Did you mean 'unet'"),
    "unknown conditioner": (
        {"conditioners": {"text": ("txet", {})}},
        UnknownNameError,
        "there is no conditioner 'txet'. Did you mean 'text'",
    ),
    "misspelt field": (
        {"first_stage": ("autoencoder_kl", {"chh": 8})},
        InvalidConfigError,
        "first stage 'autoencoder_kl': there is no field 'chh'",
    ),
    "field missing": ({"denoiser": ("unet", {})}, InvalidConfigError, "'in_channels' is required"),
    "latent channels": (
        {"denoiser": denoiser(in_channels=3)},
        CompatibilityError,
        "latents of 4 channels, the denoiser takes 3",
    ),
    "stream width": (
        {"conditioners": text(width=32)},
        CompatibilityError,
        "'text' gives a stream part of width 32, the denoiser takes 16",
    ),
    "stream name": (
        {"denoiser": denoiser(streams={"txt": {"width": 16, "injection": "native"}})},
        CompatibilityError,
        "'text' gives a stream part, and the denoiser takes none of that name. Did you mean 'txt'",
    ),
    "spatial part that nobody gives": (
        {"denoiser": denoiser(spatial={"mask": 1})},
        CompatibilityError,
        "takes the spatial part 'mask', and no conditioner has that name",
    ),
    "unknown process": (
        {"process": {"kind": "rectifiedflow"}},
        InvalidConfigError,
        "Did you mean 'rectified_flow'",
    ),
    "process field": (
        {"process": {"kind": "vp", "stepps": 3}},
        InvalidConfigError,
        "no field 'stepps'",
    ),
    "no size": ({"defaults": {}}, InvalidConfigError, "the field 'size' is required"),
    "default that is misspelt": (
        {"defaults": {"size": 16, "step": 3}},
        InvalidConfigError,
        "defaults: there is no field 'step'. Did you mean 'steps'",
    ),
    "default sampler": (
        {"defaults": {"size": 16, "sampler": "huen"}},
        UnknownNameError,
        "no sampler 'huen'",
    ),
    "input that feeds nothing": (
        {"inputs": {"prompt": "txt", "label": "label"}},
        InvalidConfigError,
        "inputs feed 'txt', which is not a conditioner. Did you mean 'text'",
    ),
    "size that the networks cannot take": (
        {"defaults": {"size": (16, 17)}},
        InvalidInputError,
        "defaults: size: the height 17 is not a multiple of",
    ),
    "option of a default": (
        {"defaults": {"size": 16, "guidance": -1.0}},
        InvalidInputError,
        "guidance 'cfg': 'scale'",
    ),
    "conditioner that nothing feeds": (
        {"inputs": {"prompt": "text"}},
        InvalidConfigError,
        "conditioner 'label' is fed by 0 public inputs",
    ),
    "conditioner fed twice": (
        {"inputs": {"prompt": ["text", "label"], "label": "label"}},
        InvalidConfigError,
        "conditioner 'label' is fed by 2 public inputs",
    ),
    "input with the name of a keyword": (
        {"inputs": {"size": "text", "label": "label"}},
        InvalidConfigError,
        "an input cannot be called 'size'",
    ),
    "device": ({"device": "cpuu"}, InvalidInputError, "device 'cpuu' cannot be used here"),
    "precision": ({"dtype": "float33"}, InvalidInputError, "Did you mean 'float32'"),
}


@pytest.fixture
def nothing_is_built(monkeypatch):
    def refuse(*_):
        raise AssertionError("built")

    monkeypatch.setattr(Registry, "build", refuse)


@pytest.mark.parametrize(("changes", "error", "message"), CASES.values(), ids=CASES.keys())
def test_incompatible_parts_are_refused(
    built_ins, tiny_changes, nothing_is_built, changes, error, message
):
    parts = tiny_changes()
    changed = {k: v(parts) if callable(v) else v for k, v in changes.items()}
    with pytest.raises(error, match=message):
        compose(**{"device": "cpu", **parts, **changed}, atelier=built_ins)


def test_all_incompatibilities_are_listed_at_once(built_ins, tiny_changes, nothing_is_built):
    parts = tiny_changes()
    parts["denoiser"] = denoiser(in_channels=3, vectors={"label": 9})(parts)
    with pytest.raises(CompatibilityError, match=r"takes 3; .* takes 9"):
        compose(**parts, device="cpu", atelier=built_ins)


def test_by_default_every_conditioner_is_a_public_input(compose_tiny):
    pipeline = compose_tiny(inputs=None)
    assert pipeline.inputs == {"text": ("text",), "label": ("label",)}
    assert len(pipeline.generate(text="a cat", label=0, steps=1)) == 1


def test_one_input_may_feed_several_conditioners(compose_tiny, tiny_changes):
    parts = tiny_changes()
    streams = {name: {"width": 16, "injection": "native"} for name in ("one", "two")}
    pipeline = compose_tiny(
        denoiser=denoiser(streams=streams, vectors={})(parts),
        conditioners=dict.fromkeys(streams, parts["conditioners"]["text"]),
        inputs={"prompt": ["one", "two"]},
    )
    for conditioner in pipeline.conditioners.values():
        conditioner.fit(["a cat on the sea", "a dog in a meadow"])
    picture = pipeline.generate(prompt=["a cat", "a dog"], steps=1)[1]
    assert picture.provenance["request"]["inputs"] == {"prompt": ["a cat", "a dog"]}


def test_new_components_are_ready_to_run(tiny):
    modules = [component.module for component in tiny.components().values()]
    assert not any(module.training for module in modules)


def test_a_built_component_is_shared_and_not_changed(built_ins, tiny_changes):
    parts = tiny_changes()
    built = new_component("denoiser", *parts["denoiser"], built_ins)
    parts["denoiser"] = built
    pipeline = compose(**parts, device="cpu", atelier=built_ins)
    assert pipeline.denoiser is built.module
    assert built.module.training
    lower = compose(**parts, device="cpu", dtype="bfloat16", atelier=built_ins)
    assert lower.denoiser is not built.module
    assert lower.denoiser.out[0].weight.dtype == torch.bfloat16
    assert next(built.module.parameters()).dtype == torch.float32


def test_auto_is_float32_only_where_a_component_is_built(built_ins, tiny_changes, monkeypatch):
    monkeypatch.setattr(placement, "computes_bfloat16", lambda device: True)
    parts = tiny_changes()
    new = compose(**parts, device="cpu", atelier=built_ins)
    assert new.dtype == torch.float32
    parts |= {
        "first_stage": new.first_stage_component,
        "denoiser": new.denoiser_component,
        "conditioners": new.conditioner_components,
    }
    assert compose(**parts, device="cpu", atelier=built_ins).dtype == torch.bfloat16


def test_a_built_component_of_a_wrong_kind_is_refused(built_ins, tiny_changes):
    parts = tiny_changes()
    parts["denoiser"] = new_component("first_stage", *parts["first_stage"], built_ins)
    with pytest.raises(
        CompatibilityError, match="expected a denoiser, found 'latelier/autoencoder_kl', a fir"
    ):
        compose(**parts, atelier=built_ins)


class Witness:
    def __init__(self, error=None):
        self.composed, self.finished, self.error = [], [], error

    @hookimpl
    def latelier_pipeline_composed(self, pipeline):
        self.composed.append(pipeline)

    @hookimpl
    def latelier_images_finished(self, pictures):
        self.finished.append([picture.seed for picture in pictures])
        if self.error:
            raise self.error


def witnessed(strict=False, error=None):
    atelier, witness = Atelier(policy=Policy(allow=frozenset()), strict=strict), Witness(error)
    atelier.register(witness, "witness")
    return atelier, witness


def test_hooks_are_called_once(compose_tiny, tmp_path):
    from latelier.pipeline import load

    atelier, witness = witnessed()
    pipeline = compose_tiny(atelier)
    assert witness.composed == [pipeline]
    pipeline.generate(prompt="a cat", seed=3, n=2)
    assert witness.finished == [[3, 4]]
    cancelled = pipeline.stream(prompt="a cat", seed=8)
    next(cancelled)
    cancelled.close()
    pipeline.denoise_fn(prompt="a cat")
    assert witness.finished == [[3, 4]]
    pipeline.save(tmp_path)
    loaded = load(tmp_path, "cpu", atelier=atelier)
    assert witness.composed == [pipeline, loaded]


def test_a_failing_hook_does_not_prevent_the_pictures(compose_tiny, caplog):
    atelier, witness = witnessed(error=ValueError("full disk"))
    pipeline = compose_tiny(atelier)
    with caplog.at_level(logging.WARNING):
        assert len(pipeline.generate(prompt="a cat", seed=3, steps=1)) == 1
    assert "plugin 'witness:Witness' raised ValueError: full disk" in caplog.text
    assert witness.finished == [[3]]


def test_strict_mode_raises_the_error_of_a_hook(compose_tiny):
    atelier, _ = witnessed(strict=True, error=ValueError("full disk"))
    with pytest.raises(LatelierError, match="full disk"):
        compose_tiny(atelier).generate(prompt="a cat", steps=1)
