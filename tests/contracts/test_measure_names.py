import pytest

from latelier.contracts.measure_names import explain_measure

KNOWN = ["frechet_distance", "precision_recall"]


@pytest.mark.parametrize(
    ("name", "ours"), [("FID", "frechet_distance"), ("recall", "precision_recall")]
)
def test_a_name_of_papers_is_explained(name, ours):
    assert explain_measure("measure", name, KNOWN) == f"Here it is '{ours}'."


@pytest.mark.parametrize(
    ("kind", "name"), [("measure", "psnrr"), ("measure", "kid"), ("sampler", "fid")]
)
def test_other_names_and_kinds_and_missing_measures_are_not(kind, name):
    assert explain_measure(kind, name, KNOWN) == ""
