"""Plugins are found by metadata alone, and damaged metadata hide no other plugin."""

import sys
from importlib.metadata import distributions

import pytest

from latelier.kernel.trust.discovery import discover
from latelier.kernel.trust.entry_points import normalize
from latelier.kernel.trust.policy import Policy

NEVER = "raise AssertionError('imported')"


def test_candidates_are_sorted_and_nothing_is_imported(site):
    site.publish("Zoo_Plugin", NEVER)
    site.publish("aaa_plugin", NEVER, version="2.3")
    site.publish("unrelated", NEVER, group="console_scripts")
    site.publish("tomorrow", NEVER, group="latelier.v9")
    found = [(each.id, each.version) for each in site.candidates()]
    assert found == [
        ("aaa-plugin:main", "2.3"),
        ("tomorrow:main", "1.0"),
        ("zoo-plugin:main", "1.0"),
    ]
    assert not {"Zoo_Plugin", "aaa_plugin", "unrelated", "tomorrow"} & sys.modules.keys()


def test_a_distribution_for_several_api_majors_has_one_candidate(site):
    site.publish("several", NEVER)
    info = site.folder / "several-1.0.dist-info" / "entry_points.txt"
    info.write_text(f"{info.read_text()}[latelier.v2]\nmain = several.later:plugin\n")
    assert [each.entry_point.group for each in site.candidates()] == ["latelier.v1"]


def test_a_distribution_found_twice_on_the_path_counts_once(site, tmp_path):
    site.publish("twice", NEVER, version="1.0")
    later = tmp_path / "later"
    later.mkdir()
    first, site.folder = site.folder, later
    site.publish("twice", NEVER, version="2.0")
    site.folder = first
    assert [each.version for each in site.candidates(later)] == ["1.0"]


@pytest.mark.parametrize("damage", ["[latelier.v1]\nno equals sign\n", "[latelier.v1]\n= x\n"])
def test_damaged_entry_points_do_not_hide_the_others(site, damage, caplog):
    site.publish("broken", NEVER)
    site.publish("sound", NEVER)
    (site.folder / "broken-1.0.dist-info" / "entry_points.txt").write_text(damage)
    assert "sound:main" in [each.id for each in site.candidates()]


def test_entry_points_that_are_not_text_are_reported_in_one_line(site, caplog):
    site.publish("broken", NEVER)
    site.publish("sound", NEVER)
    info = site.folder / "broken-1.0.dist-info"
    (info / "entry_points.txt").write_bytes(b"\xff\xd9" * 200)
    assert [each.id for each in site.candidates()] == ["sound:main"]
    assert f"the metadata in {info} cannot be read: UnicodeDecodeError" in caplog.text
    assert len(caplog.messages[0]) < 300


def test_a_failure_to_list_distributions_hides_none_that_were_found(site, monkeypatch, caplog):
    site.publish("sound", NEVER)
    found = list(distributions(path=[str(site.folder)]))

    def fail_after_the_first():
        yield from found
        raise OSError("a damaged disk")

    monkeypatch.setattr("latelier.kernel.trust.discovery.distributions", fail_after_the_first)
    assert [each.id for each in discover()] == ["sound:main"]
    assert "cannot all be listed: a damaged disk" in caplog.text


def test_a_malformed_entry_point_is_reported(site):
    site.publish("garbled", NEVER, entries={"main": "not a module!"})
    report = site.atelier().plugins[0]
    assert (report.id, report.state) == ("garbled:main", "import_error")
    assert report.cause == "invalid entry point: expected 'module:object', got 'not a module!'"


def test_a_denied_plugin_is_disabled_even_if_invalid(site):
    site.publish("tomorrow", NEVER, group="latelier.v9")
    site.publish("garbled", NEVER, entries={"main": "not a module!"})
    denied = Policy(deny=frozenset({"tomorrow", "garbled"}))
    assert [each.state for each in site.atelier(denied).plugins] == ["disabled", "disabled"]


def test_missing_metadata_is_reported(site):
    site.publish("leftover", NEVER)
    (site.folder / "leftover-1.0.dist-info" / "METADATA").unlink()
    assert [each.version for each in site.candidates()] in ([], ["unknown"])


@pytest.mark.parametrize("name", ["My_Plugin", "my.plugin", "my--plugin", "MY-PLUGIN"])
def test_names_are_normalized(name):
    assert normalize(name) == "my-plugin"
