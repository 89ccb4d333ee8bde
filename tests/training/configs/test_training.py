from pathlib import Path

import pytest

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.conditional_decoder import ConditionalDecoderTraining
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.configs.training import read_training, to_yaml

CONFIGS = Path(__file__).parents[3] / "configs"

FIRST_STAGE = """
out: somewhere
steps: 10
first_stage: {id: autoencoder_kl}
"""


def yaml_file(tmp_path, text):
    path = tmp_path / "training.yaml"
    path.write_text(text)
    return path


def test_a_configuration_is_read_back_from_yaml(tmp_path):
    config = read_training(yaml_file(tmp_path, FIRST_STAGE), FirstStageTraining)
    assert read_training(yaml_file(tmp_path, to_yaml(config)), FirstStageTraining) == config


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FIRST_STAGE + "batchsize: 3", "no field 'batchsize'. Did you mean 'batch_size'"),
        (FIRST_STAGE.replace("10", "0"), "'steps'"),
        (FIRST_STAGE.replace("10", "1" + 30 * "0"), "'steps'"),
        (FIRST_STAGE + "batch_size: 1000000000000", "'batch_size'"),
        (FIRST_STAGE + "workers: 5000", "'workers'"),
        (FIRST_STAGE.replace("somewhere", "''"), "'out': expected the path of a folder"),
        (FIRST_STAGE.replace("somewhere", '"a\\0b"'), "'out': expected the path of a folder"),
        (FIRST_STAGE + "optimizer: {betas: [0.9, 1.0]}", "'optimizer.betas.1'"),
        (FIRST_STAGE + "ema: {lengths: [0.05, 0.05]}", "lengths that differ"),
        (FIRST_STAGE + "steps: 20", "line 5: the key 'steps' occurs twice"),
        (FIRST_STAGE + "optimizer: {lr: fast}", "'optimizer.lr'"),
        (FIRST_STAGE + "accelerator: gpus", "'accelerator': Input should be 'auto', 'cpu', 'cuda'"),
        (FIRST_STAGE + "precision: fp16", "'precision': Input should be '32-true', 'bf16-mixed'"),
        (FIRST_STAGE + "strategy: dpd", "'strategy': Input should be 'ddp' or 'fsdp'"),
        (FIRST_STAGE + "keep: {lst: 3}", "no field 'keep.lst'. Did you mean 'last'"),
        (FIRST_STAGE + "keep: {last: 0}", "'keep.last'"),
        (FIRST_STAGE + "faults: {max_loss_ratio: 0.5}", "'faults.max_loss_ratio'"),
        (FIRST_STAGE + "accumulate: 0", "'accumulate'"),
        (FIRST_STAGE + "sheet_weights: [best]", "Input should be 'average' or 'raw'"),
        ("steps: 10", "the field 'out' is required"),
        ("- a list", "expected a mapping, got list"),
        ("steps: [", "cannot be read as YAML"),
        ("", "expected a mapping, got NoneType"),
    ],
)
def test_an_invalid_file_is_one_error_with_file_and_field(tmp_path, text, words):
    path = yaml_file(tmp_path, text)
    with pytest.raises(InvalidConfigError, match=r"training\.yaml") as caught:
        read_training(path, FirstStageTraining)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidConfigError, match=r"nowhere\.yaml: not found"):
        read_training(tmp_path / "nowhere.yaml", DenoiserTraining)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("emoji-scenes/first-stage", FirstStageTraining),
        ("emoji-scenes/denoiser", DenoiserTraining),
        ("emoji-scenes/denoiser-conditions", DenoiserTraining),
        ("scenes/first-stage", FirstStageTraining),
        ("scenes/first-stage-local", FirstStageTraining),
        ("scenes/denoiser", DenoiserTraining),
        ("scenes/conditional-decoder", ConditionalDecoderTraining),
    ],
)
def test_the_shipped_configurations_are_valid(name, model):
    read_training(CONFIGS / f"{name}.yaml", model)
