"""The versions of latelier that a plugin requires, and whether this one is among them."""

import sys

import pytest

from latelier.kernel.trust.admission import latelier_requirement, satisfies


@pytest.mark.parametrize(
    ("requirements", "versions"),
    [
        ([], ""),
        (["torch>=2"], ""),
        (["latelier"], ""),
        (["latelier>=1.2"], ">=1.2"),
        (["kornia", "Latelier >= 1.2, < 2"], "<2,>=1.2"),
        (["latelier[train]>=1.2"], ">=1.2"),
        (["latelier (>=1.2)"], ">=1.2"),
        (["latelier>=1.2", "latelier!=1.3"], ">=1.2,!=1.3"),
        (["latelier-palette>=9"], ""),
        (["latelier>=9; extra == 'future'"], ""),
        (["latelier>=9 ; python_version >= '4'"], ""),
    ],
)
def test_the_requirement_of_latelier_is_read(requirements, versions):
    assert latelier_requirement(requirements) == versions


@pytest.mark.parametrize(
    ("requirement", "met", "unmet"),
    [
        ("", ["0.1"], []),
        (">=1.2", ["1.2", "1.2.0", "1.10", "2.0", "1.3.dev4+local"], ["1.1.9", "1.2rc1", "0.9"]),
        (">=1.2,<2", ["1.2", "1.99"], ["2", "2.0.0", "1.1"]),
        ("~=1.2", ["1.2", "1.9"], ["1.1", "2.0"]),
        ("~=1.2.3", ["1.2.3", "1.2.9"], ["1.2.2", "1.3"]),
        ("==1.*", ["1.0", "1.9.9", "1"], ["2.0", "0.9"]),
        ("==1.2", ["1.2", "1.2.0"], ["1.2.1"]),
        ("!=1.2", ["1.2.1"], ["1.2"]),
        (">1.2", ["1.2.1"], ["1.2"]),
        ("<=1.2", ["1.2"], ["1.2.1"]),
    ],
)
def test_satisfies_compares_versions(requirement, met, unmet):
    assert [version for version in met if not satisfies(version, requirement)] == []
    assert [version for version in unmet if satisfies(version, requirement)] == []


@pytest.mark.parametrize("text", ["latelier @ file:///somewhere", "latelier>=one", "latelier 1"])
def test_invalid_requirements_are_ignored(text):
    assert latelier_requirement([text]) == ""


def requiring(site, name, requirement):
    site.publish(name, "raise AssertionError('imported')")
    metadata = site.folder / f"{name}-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text() + f"Requires-Dist: {requirement}\n")


def test_a_plugin_of_a_later_minor_is_refused_without_an_import(site, publish_healthy):
    requiring(site, "latelier-later", "latelier>=9")
    publish_healthy()
    atelier = site.atelier()
    report = next(each for each in atelier.plugins if each.distribution == "latelier-later")
    assert report.state == "incompatible_api"
    assert report.cause.startswith("requires latelier>=9, this is 0.")
    assert report.fix == "pip install 'latelier>=9', or another latelier-later"
    assert "latelier_later" not in sys.modules
    assert atelier.samplers.names() == ["healthy"]
