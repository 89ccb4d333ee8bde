"""Invalid requests are refused before the first step, and the error says what would be right."""

import pytest

from latelier.contracts.errors import (
    InvalidInputError,
    LatelierError,
    PluginError,
    UnknownNameError,
)

CASES = {
    "misspelt input": ({"promt": "a cat"}, "no input or option 'promt'. Did you mean 'prompt'"),
    "misspelt option": ({"stepz": 3}, "no input or option 'stepz'. Did you mean 'steps'"),
    "the conditioner's own name": ({"text": "a cat"}, "no input or option 'text'"),
    "misspelt negative": (
        {"negative": {"lable": 1}},
        "no input or option 'lable'. Did you mean 'label'",
    ),
    "misspelt sampler": ({"sampler": "huen"}, "there is no sampler 'huen'. Did you mean 'heun'"),
    "misspelt schedule": ({"schedule": "karas"}, "no schedule 'karas'. Did you mean 'karras'"),
    "misspelt guidance": ({"guidance": "cgf"}, "there is no guidance 'cgf'. Did you mean 'cfg'"),
    "misspelt acceleration": (
        {"acceleration": "deep_cach"},
        "there is no acceleration 'deep_cach'. Did you mean 'deep_cache'",
    ),
    "sampler of nobody": ({"sampler": "other/ddim"}, "there is no sampler 'other/ddim'"),
    "misspelt sampler option": (
        {"sampler": {"name": "ddim", "etta": 1}},
        "sampler 'ddim': there is no field 'etta'. Did you mean 'eta'",
    ),
    "sampler option out of range": (
        {"sampler": {"name": "ddim", "eta": 2}},
        "sampler 'ddim': 'eta': .*less than or equal to 1",
    ),
    "option of another sampler": ({"sampler": {"name": "heun", "eta": 1}}, "no field 'eta'"),
    "sampler from an image to noise": (
        {"sampler": "ddim_inversion"},
        "the sampler 'ddim_inversion' goes from an image to its noise and makes no picture",
    ),
    "sampler without a name": ({"sampler": {"eta": 1}}, "sampler"),
    "sampler that is a number": ({"sampler": 3}, "'sampler'"),
    "negative guidance": ({"guidance": -1}, "guidance 'cfg': 'scale'"),
    "guidance that is not a number": ({"guidance": float("nan")}, "'scale'"),
    "no steps": ({"steps": 0}, "'steps': .*greater than or equal to 1 .given: 0"),
    "too many steps": ({"steps": 10_001}, "'steps': .*less than or equal to 10000"),
    "steps in words": ({"steps": "many"}, "'steps': .*valid integer"),
    "no pictures": ({"n": 0}, "'n': .*greater than or equal to 1"),
    "negative seed": ({"seed": -1}, "'seed': .*greater than or equal to 0"),
    "seed too large": ({"seed": 2**63}, "'seed': .*less than"),
    "size not a multiple": ({"size": 17}, "the width 17 is not a multiple of 2.*nearest is 16"),
    "height not a multiple": ({"size": (16, 21)}, "the height 21 is not .*the nearest is 20"),
    "size too small": ({"size": 1}, "the width 1 .* the nearest is 2"),
    "size zero": ({"size": 0}, "the nearest is 2"),
    "negative size": ({"size": -16}, "the nearest is 2"),
    "three sizes": ({"size": (1, 2, 3)}, "'size'"),
    "empty prompt": ({"prompt": "  "}, "prompt: 'text': the text is empty"),
    "prompt too long": ({"prompt": "cat " * 100}, "100 tokens|at most 31 fit"),
    "prompt far too long": ({"prompt": "x" * 3000}, "at most 2000 characters"),
    "prompt that is a number": ({"prompt": 3}, "prompt: 'text': .*valid string"),
    "one bad prompt among good ones": ({"prompt": ["a cat", ""]}, "the text is empty"),
    "unknown class": ({"label": "horse"}, "there is no class 'horse'"),
    "class out of range": ({"label": 3}, "there is no class 3; the classes are 0 to 2"),
    "misspelt field": ({"prompt": {"txt": "a cat"}}, "prompt: .*'txt'. Did you mean 'text'"),
    "lists of different lengths": (
        {"prompt": ["a", "b"], "label": [0, 1, 2]},
        "equally long, non-empty lists, not {'prompt': 2, 'label': 3}",
    ),
    "an empty list": ({"prompt": []}, "non-empty lists, not {'prompt': 0}"),
    "negatives that do not go with the pictures": (
        {"prompt": ["a", "b"], "negative": ["c", "d", "e"]},
        "negative.prompt: 3 values do not go with 2 pictures",
    ),
    "schedule that the process has not": (
        {"schedule": "model", "steps": 2000},
        "1 to 1000 steps",
    ),
}


@pytest.mark.parametrize(("keywords", "message"), CASES.values(), ids=CASES.keys())
def test_invalid_requests_are_refused(tiny, keywords, message):
    request = {"prompt": "a cat", "seed": 1, "steps": 1, **keywords}
    for run in (tiny.generate, tiny.stream):  # a stream refuses at once, not at its first step
        with pytest.raises((InvalidInputError, UnknownNameError), match=message) as caught:
            run(**request)
        assert len(str(caught.value)) < 600


def test_denoise_fn_refuses_invalid_requests(tiny):
    with pytest.raises(UnknownNameError, match="no input or option 'promt'"):
        tiny.denoise_fn(promt="a cat")
    with pytest.raises(InvalidInputError, match="the text is empty"):
        tiny.denoise_fn(prompt="")


def test_negative_without_inputs_is_refused(compose_tiny, tiny_changes):
    denoiser = {**tiny_changes()["denoiser"][1], "context_dim": None, "streams": {}, "vectors": {}}
    pipeline = compose_tiny(denoiser=("unet", denoiser), conditioners={}, inputs=None)
    with pytest.raises(InvalidInputError, match="negative: this pipeline takes no inputs"):
        pipeline.generate(negative="a cat")


def test_text_without_a_vocabulary_is_an_error(compose_tiny, monkeypatch):
    monkeypatch.setattr(
        "latelier_conditioners.text.conditioner.TextConditioner.fit", lambda *_: None
    )
    with pytest.raises(LatelierError, match="has no vocabulary"):
        compose_tiny().generate(prompt="a cat")


def stops_early(denoise, x, grid, /, *, noise):
    from latelier.contracts.sampling import Step

    yield Step(0, grid.sigmas[1], x, denoise(x, grid.sigmas[0]))


def test_a_sampler_that_stops_early_is_named(compose_tiny):
    from latelier import hookimpl
    from latelier.kernel.atelier import Atelier
    from latelier.kernel.trust.policy import Policy

    class Plugin:
        @hookimpl
        def latelier_register(self, registrar):
            registrar.sampler("lazy", factory=f"{__name__}:stops_early")

    atelier = Atelier(policy=Policy(allow=frozenset()))
    atelier.register(Plugin(), "mine")
    with pytest.raises(PluginError, match="the sampler 'mine/lazy' stopped before step 3"):
        compose_tiny(atelier).generate(prompt="a cat", sampler="lazy")
