"""From what an importer found to a model."""

from typing import Any

import pytest
import torch

import latelier
from latelier.checkpoints.io.weights import tensor_shapes
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.importing import Imported, ImportedPart
from latelier.conversion.importing import find_inputs, import_model
from latelier.kernel.atelier import Atelier
from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.trust.policy import Policy

PLACES = ("first_stage", "denoiser", "conditioners.clip", "conditioners.t5", "conditioners.mask")


def found(inputs):
    parts = {place: ImportedPart("latelier/any", {}) for place in PLACES}
    return Imported(parts, inputs=inputs)


def test_one_input_may_feed_several_conditioners():
    assert find_inputs(found({"prompt": ["clip", "t5"]}), ["mask"]) == {"prompt": ("clip", "t5")}


def test_a_conditioner_that_no_input_feeds_is_an_input_itself():
    assert find_inputs(found({"prompt": "t5"}), ["mask"]) == {"prompt": ("t5",), "clip": ("clip",)}
    assert find_inputs(found({}), ()) == {name: (name,) for name in ("clip", "t5", "mask")}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"prompt": ["clip", "t6"]}, r"inputs feed 't6', which is not a conditioner\. Did you"),
        ({"prompt": []}, "the input 'prompt' feeds no conditioner"),
        ({"prompt": "t5", "text": ["clip", "t5"]}, "'t5' is fed by 2 public inputs, not by one"),
        ({"seed": "t5"}, "an input cannot be called 'seed'"),
    ],
)
def test_inputs_that_do_not_fit_the_conditioners_are_refused(inputs, message):
    with pytest.raises(InvalidConfigError, match=message):
        find_inputs(found(inputs), ["mask"])


LABELS = ("latelier/class_label", {"num_classes": 3, "width": 8})
TINY = {
    "first_stage": ("latelier/identity", {"channels": 4}),
    "denoiser": (
        "latelier/unet",
        {
            "in_channels": 4,
            "out_channels": 4,
            "model_channels": 8,
            "channel_mult": [1],
            "num_res_blocks": 1,
            "num_heads": 1,
            "num_groups": 4,
            "context_dim": 8,
            "streams": {name: {"width": 8, "injection": "native"} for name in ("one", "two")},
        },
    ),
    "conditioners.one": LABELS,
    "conditioners.two": LABELS,
}


class TwoFromOne:
    """Reads a model whose one input feeds two conditioners."""

    options = frozenset[str]()

    def recognizes(self, source: Any, /) -> bool:
        return source.path.suffix == ".two"

    def read(self, _source: Any, /) -> Imported:
        parts = {place: ImportedPart(*piece, zeros(place, *piece)) for place, piece in TINY.items()}
        inputs = {"label": ["one", "two"]}
        return Imported(parts, {"kind": "edm"}, {"size": 8, "steps": 2}, inputs)


def zeros(place, name, config):
    registries = Atelier(policy=Policy(allow=frozenset())).registries
    with torch.device("meta"):
        module = registries[place.partition("s.")[0]].build(name, config)
    return {key: torch.zeros(shape) for key, shape in tensor_shapes(module.state_dict()).items()}


class Plugin:
    @hookimpl
    def latelier_register(self, registrar):
        registrar.importer("two", factory=f"{__name__}:TwoFromOne")


def test_an_imported_model_may_feed_several_conditioners_from_one_input(tmp_path):
    atelier = Atelier(policy=Policy(allow=frozenset()))
    atelier.register(Plugin(), "latelier-two", "1.0")
    (tmp_path / "a.two").touch()
    import_model(tmp_path / "a.two", tmp_path / "out", atelier=atelier)
    pipe = latelier.load(tmp_path / "out", device="cpu", atelier=atelier)
    assert dict(pipe.inputs) == {"label": ("one", "two")}
    assert pipe.generate(label=1, seed=0)[0].image.size == (8, 8)
