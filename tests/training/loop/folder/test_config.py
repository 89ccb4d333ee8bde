"""The configuration of a run in its folder."""

from pathlib import Path

import pytest

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.loop.folder.config import read_config, write_config


def configure(out: Path, mult: tuple[int, ...]) -> FirstStageTraining:
    first_stage = {"id": "autoencoder_kl", "config": {"ch": 8, "num_groups": 4, "ch_mult": mult}}
    return FirstStageTraining.model_validate({"out": out, "steps": 8, "first_stage": first_stage})


def test_a_configuration_made_in_python_is_the_one_in_its_file(tmp_path: Path) -> None:
    config = configure(tmp_path, (1, 2))  # a tuple, of which YAML makes a list
    write_config(tmp_path, config)
    assert read_config(config) is not None


def test_another_value_in_the_configuration_of_a_component_is_found(tmp_path: Path) -> None:
    write_config(tmp_path, configure(tmp_path, (1, 2)))
    with pytest.raises(InvalidConfigError, match="has another first_stage"):
        read_config(configure(tmp_path, (1, 4)))
