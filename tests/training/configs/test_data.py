from pathlib import Path

import pytest

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.training.configs.data import DataConfig


def read(values):
    return validate(DataConfig, values, "data")


def test_a_list_is_short_for_sources():
    config = DataConfig.model_validate([{"path": "a"}, {"path": "b"}])
    assert [source.path for source in config.all_sources] == [Path("a"), Path("b")]


def test_without_a_path_the_source_is_the_built_in_scenes():
    [source] = read({"config": {"size": 16}}).all_sources
    assert (source.path, source.config) == (None, {"size": 16})


def test_a_cache_may_be_named_by_its_folder():
    assert read({"cache": "latents"}).cache == read({"cache": {"folder": "latents"}}).cache


def test_a_configuration_is_the_same_after_a_round_trip():
    config = read({"sources": [{"path": "a", "weight": 2}], "size": [64, 32], "buckets": {}})
    assert read(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path": "a", "sources": [{"path": "b"}]}, "either sources, or one path, url or dataset"),
        ({"path": "a", "length": 10}, "config and length are for the built-in scenes"),
        ({"sources": [{"path": "a", "weight": 1}, {"path": "b"}]}, "a weight for each of them"),
        ({"crop_scale": [0.5, 1]}, "crop_scale is for 'crop: random'"),
        ({"crop": "random", "crop_scale": [0.9, 0.5]}, "expected 0 < low <= high <= 1"),
        ({"held_out": {"share": 1}}, "'held_out.share': Input should be less than 1"),
        ({"pth": "a"}, "there is no field 'pth'. Did you mean 'path'"),
        ({"size": [64]}, "'size"),
    ],
)
def test_values_that_do_not_fit_are_an_error(values, message):
    with pytest.raises(InvalidConfigError) as caught:
        read(values)
    assert message in str(caught.value)
