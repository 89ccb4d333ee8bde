import pytest
import torch

from latelier.contracts.errors import CompatibilityError, InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.denoiser.parts import resolve_parts

SAMPLE = {"image": torch.zeros(3, 16, 16), "prompt": "a cat", "caption": "a dog", "index": 0}

SMALL = {
    "model_channels": 32,
    "channel_mult": [1],
    "num_res_blocks": 1,
    "attention_resolutions": [],
    "num_heads": 2,
}


@pytest.fixture(scope="module")
def model(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny.save(folder)
    return str(folder)


class Samples(list):
    def list_fields(self):
        return frozenset(self[0])


@pytest.fixture
def resolve(model, built_ins, tmp_path):
    def resolve_it(sample=SAMPLE, **changes):
        values = {"out": tmp_path, "steps": 1, "start_from": model, **changes}
        config = validate(DenoiserTraining, values, "training")
        return resolve_parts(config, Samples([sample]), built_ins)

    return resolve_it


def assert_same_weights(component, other):
    weights = other.module.state_dict()
    assert all(torch.equal(t, weights[name]) for name, t in component.module.state_dict().items())


def test_everything_is_taken_from_the_model(resolve, tiny):
    parts = resolve()
    assert_same_weights(parts.denoiser, tiny.denoiser_component)
    assert_same_weights(parts.first_stage, tiny.first_stage_component)
    for name, component in parts.conditioners.items():
        assert_same_weights(component, tiny.conditioner_components[name])
    assert parts.process == tiny.process
    assert parts.inputs == tiny.inputs
    assert parts.conditioners["text"].module.assets() == tiny.conditioners["text"].assets()
    assert parts.fitted == {"text", "label"}


def test_weights_of_the_model_can_change_and_its_file_cannot(resolve, tiny):
    parts = resolve()
    for component in (parts.denoiser, *parts.conditioners.values()):
        assert all(p.requires_grad for p in component.module.parameters())
        assert component.module.training
    assert not any(p.requires_grad for p in parts.first_stage.module.parameters())
    with torch.no_grad():
        for parameter in parts.denoiser.module.parameters():
            parameter.add_(1)
    assert_same_weights(resolve().denoiser, tiny.denoiser_component)


def test_an_input_that_the_data_lack_is_left_null(resolve):
    parts = resolve()
    assert {name: each.source for name, each in parts.sources.items()} == {"text": "prompt"}


def test_one_field_of_a_conditioner_can_be_changed(resolve):
    parts = resolve(conditioners={"text": {"source": "caption", "drop": 0.4, "frozen": True}})
    assert (parts.sources["text"].source, parts.sources["text"].drop) == ("caption", 0.4)
    assert parts.inputs == {"prompt": ("text",), "label": ("label",)}
    text, label = parts.conditioners["text"].module, parts.conditioners["label"].module
    assert not any(p.requires_grad for p in text.parameters())
    assert not text.training
    assert all(p.requires_grad for p in label.parameters())


def test_the_process_can_be_changed(resolve):
    assert (
        resolve(process={"kind": "rectified_flow", "prediction": "x0"}).process.prediction == "x0"
    )


def test_a_conditioner_that_the_model_lacks_is_an_error(resolve):
    with pytest.raises(InvalidConfigError, match=r"conditioners\.txt: .*Did you mean 'text'"):
        resolve(conditioners={"txt": {"drop": 0.2}})


def test_data_without_any_input_of_the_model_are_an_error(resolve):
    sample = {"image": SAMPLE["image"], "index": 0}
    with pytest.raises(InvalidConfigError, match=r"none of the fields \['label', 'prompt'\]"):
        resolve(sample)


def test_another_denoiser_than_the_model_s_is_an_error(resolve):
    denoiser = {"id": "unet", "config": {**SMALL, "in_channels": 4, "out_channels": 4}}
    with pytest.raises(
        InvalidConfigError, match=r"the denoiser of .* does not fit the configuration"
    ):
        resolve(denoiser=denoiser)


def test_without_a_model_a_denoiser_is_required(resolve):
    with pytest.raises(InvalidConfigError, match="the field 'denoiser' is required"):
        resolve(start_from=None)
    with pytest.raises(InvalidConfigError, match=r"'conditioners\.text\.id' is required"):
        resolve(start_from=None, denoiser={"id": "unet"}, conditioners={"text": {}})


def test_without_a_first_stage_the_embedded_one_serves(resolve):
    denoiser = {"id": "unet", "config": {**SMALL, "in_channels": 6, "out_channels": 6}}
    parts = resolve(start_from=None, denoiser=denoiser)
    assert parts.first_stage.module.config.latent_channels == 6
    assert parts.process.kind == "rectified_flow"
    denoiser = {"id": "unet", "config": {**SMALL, "in_channels": 4, "out_channels": 4}}
    with pytest.raises(CompatibilityError, match=r"latents of 6 channels.*that of 'emoji-scenes'"):
        resolve(start_from=None, denoiser=denoiser)


MAP = {"num_classes": 5, "n_stages": 2, "absence": "trained"}


def with_map(**fields):
    spatial = {"spatial": {"map": 5}, "in_channels": 6, "out_channels": 6}
    choice = {"id": "semantic_map", "source": "semantic_map", "config": MAP, **fields}
    return {
        "sample": {**SAMPLE, "semantic_map": torch.zeros(16, 16)},
        "start_from": None,
        "denoiser": {"id": "unet", "config": {**SMALL, **spatial}},
        "conditioners": {"map": choice},
    }


def test_an_input_has_the_name_of_its_source_or_its_own(resolve):
    assert resolve(**with_map()).inputs == {"semantic_map": ("map",)}
    assert resolve(**with_map(input="painted")).inputs == {"painted": ("map",)}
    parts = resolve(conditioners={"text": {"source": "caption", "input": "words"}})
    assert parts.inputs == {"words": ("text",), "label": ("label",)}


def test_an_input_that_may_be_missing_must_be_dropped_in_training(resolve):
    never = with_map(drop=0)
    with pytest.raises(InvalidConfigError, match=r"conditioners\.map: .* never drops it"):
        resolve(**never)
    with pytest.raises(InvalidConfigError, match="never drops it"):
        resolve(**never, keep_one=0.5)  # the only one is the one that is kept
    resolve(**never, drop_all=0.1)


def test_a_mask_has_no_input_of_its_own(resolve):
    fields = with_map(id="mask", source="image", input="hole", config={"latent_channels": 6})
    fields["denoiser"]["config"]["spatial"] = {"map": 7}
    with pytest.raises(InvalidConfigError, match=r"conditioners\.map\.input: .*`init_image`"):
        resolve(**fields)
