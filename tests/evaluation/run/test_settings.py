"""The settings of results."""

from latelier.evaluation.run.run import run_evaluation
from latelier.evaluation.run.settings import list_settings


def test_results_have_the_settings_of_data_network_reference_and_measures(configure, resources):
    results = run_evaluation(configure(), resources)
    assert results is not None
    assert results.size == (32, 32)
    settings = results.settings
    assert (settings["size"], settings["network"]) == ("32 x 32", "toy 1")
    assert settings["reference"].startswith("6 pictures")
    assert settings["shift"] == '{"version": 1}'  # a default
    assert "torch" in settings["versions"]
    assert "steps" not in settings  # no model makes the pictures


def test_defaults_of_the_model_are_settings(prepare, toys, compose_tiny, tmp_path):
    compose_tiny().save(tmp_path / "tiny")
    fields = {"task": "text", "model": str(tmp_path / "tiny"), "measures": ["threads"]}
    settings = list_settings(prepare(**fields, generate={"steps": 3}), None, toys)
    assert settings["steps"] == "3"
    assert '"name": "dpmpp_2m"' in settings["sampler"]
    assert {"guidance", "schedule", "precision"} <= settings.keys()
    assert settings["seeds"] == "0 to 10"


def test_reconstructions_have_no_settings_of_sampling(prepare, toys, compose_tiny, tmp_path):
    compose_tiny().save(tmp_path / "tiny")
    fields = {"task": "reconstruction", "model": str(tmp_path / "tiny"), "measures": ["threads"]}
    settings = list_settings(prepare(**fields), None, toys)
    assert settings["precision"] == "float32"
    assert not {"steps", "sampler", "seeds"} & settings.keys()
