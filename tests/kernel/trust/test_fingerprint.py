"""What a distribution consists of: what it brought, and nothing that installers own."""

import hashlib
import json
import os
import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import distributions
from importlib.util import spec_from_file_location

import pytest

from latelier.kernel.trust.fingerprint import fingerprint

RECORD = """\
inner/__init__.py,,
inner/plugin.py,,
inner/__pycache__/plugin.cpython-311.pyc,,
inner/data/weights.bin,,
beside.py,,
gone.py,,
../../../bin/script,,
latelier_inner-1.0.dist-info/RECORD,,
latelier_inner-1.0.dist-info/METADATA,,
latelier_inner-1.0.dist-info/INSTALLER,,
"""


@pytest.fixture
def installed(site):
    """latelier-inner: a package, a module, and the record of an installer."""
    site.publish(
        "latelier-inner", "x = 1", module="beside", entries={"main": "inner.plugin:plugin"}
    )
    info = site.folder / "latelier_inner-1.0.dist-info"
    (site.folder / "latelier-inner-1.0.dist-info").rename(info)
    for name, text in {
        "inner/__init__.py": "",
        "inner/plugin.py": "plugin = 1",
        "inner/data/weights.bin": "weights",
        "inner/__pycache__/plugin.cpython-311.pyc": "bytecode",
        "latelier_inner-1.0.dist-info/RECORD": RECORD,
    }.items():
        path = site.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return site


def fingerprint_of(site):
    found = next(iter(distributions(path=[str(site.folder)])))
    return fingerprint(found)


def test_all_package_files_are_covered(installed):
    found = fingerprint_of(installed)
    assert (found.version, found.editable) == ("1.0", False)
    assert found.files.keys() == {
        "entry_points.txt",
        "inner/__init__.py",
        "inner/plugin.py",
        "inner/data/weights.bin",
        "beside.py",
    }
    assert found.files["inner/plugin.py"] == hashlib.sha256(b"plugin = 1").hexdigest()


def test_the_hash_equals_that_of_sha256sum_lines(installed):
    found = fingerprint_of(installed)
    lines = "".join(f"{found.files[path]}  {path}\n" for path in sorted(found.files))
    assert found.sha256 == hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.parametrize(
    "name",
    [
        "inner/plugin.py",
        "inner/data/weights.bin",
        "beside.py",
        "latelier_inner-1.0.dist-info/entry_points.txt",
    ],
)
def test_one_byte_changes_the_hash(installed, name):
    before = fingerprint_of(installed).sha256
    path = installed.folder / name
    path.write_text(path.read_text() + " ")
    assert fingerprint_of(installed).sha256 != before


@pytest.mark.parametrize("name", ["inner/plugin/__init__.py", "inner/plugin.so", "inner/sub/x.py"])
def test_an_unrecorded_file_changes_the_hash(installed, name):
    before = fingerprint_of(installed).sha256
    path = installed.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("shadows")
    assert fingerprint_of(installed).sha256 != before


@pytest.mark.parametrize(
    "name",
    [
        "inner/__pycache__/plugin.cpython-311.pyc",
        "latelier_inner-1.0.dist-info/INSTALLER",
        "another_package.py",
    ],
)
def test_bytecode_and_records_do_not_change_the_hash(installed, name):
    before = fingerprint_of(installed).sha256
    (installed.folder / name).write_text("other")
    assert fingerprint_of(installed).sha256 == before


def test_an_editable_installation_is_covered_in_its_source_folder(site, tmp_path, monkeypatch):
    source = tmp_path / "source"
    (source / "edited").mkdir(parents=True)
    (source / "edited" / "__init__.py").write_text("plugin = 1")
    monkeypatch.syspath_prepend(str(source))
    site.publish("latelier-edited", "", module="unused", entries={"main": "edited:plugin"})
    info = next(site.folder.glob("*.dist-info"))
    url = {"url": source.as_uri(), "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(url))
    (info / "RECORD").write_text("_latelier_edited.pth,,\n")
    (site.folder / "_latelier_edited.pth").write_text(str(source))
    found = fingerprint_of(site)
    assert found.editable
    assert found.files.keys() == {"entry_points.txt", "edited/__init__.py"}
    (source / "edited" / "__init__.py").write_text("plugin = 2")
    assert fingerprint_of(site).sha256 != found.sha256


def test_only_the_package_of_the_plugin_in_a_shared_namespace_is_covered(site):
    site.publish("latelier-mine", "", module="unused", entries={"main": "shared.mine.plugin:p"})
    for name in ("shared/mine/__init__.py", "shared/mine/plugin.py", "shared/other/__init__.py"):
        path = site.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert fingerprint_of(site).files.keys() == {
        "entry_points.txt",
        "shared/mine/__init__.py",
        "shared/mine/plugin.py",
    }


def test_an_editable_package_of_a_namespace_is_covered_where_its_finder_locates_it(
    site, tmp_path, monkeypatch
):
    """As setuptools installs it: no folder on the path, and a finder that knows the package."""
    package = tmp_path / "source" / "elsewhere"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text("plugin = 1")

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "found_space":
                spec = ModuleSpec(name, None)
                spec.submodule_search_locations = ["no such folder"]
                return spec
            origin = str(package / "__init__.py")
            return spec_from_file_location(name, origin) if name == "found_space.mine" else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    site.publish(
        "latelier-found", "", module="unused", entries={"main": "found_space.mine.plugin:p"}
    )
    try:
        assert fingerprint_of(site).files.keys() == {
            "entry_points.txt",
            "found_space/mine/__init__.py",
            "found_space/mine/plugin.py",
        }
        assert "found_space.mine" not in sys.modules
    finally:
        sys.modules.pop("found_space", None)


def test_links_are_followed_to_packages_and_to_no_other_folders(installed, tmp_path):
    package = tmp_path / "linked"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deep" / "data.bin").write_text("1")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "huge.bin").write_text("1")
    inner = installed.folder / "inner"
    (inner / "sub").symlink_to(package)
    (inner / "again").symlink_to(inner)
    (inner / "store").symlink_to(tmp_path / "store")
    found = fingerprint_of(installed)
    assert {path for path in found.files if path.startswith("inner/s")} == {
        "inner/sub/__init__.py",
        "inner/sub/deep/data.bin",
    }
    assert not [path for path in found.files if "again" in path]
    (package / "deep" / "data.bin").write_text("2")
    assert fingerprint_of(installed).sha256 != found.sha256


def test_a_file_name_that_is_not_utf8_is_covered(installed):
    (installed.folder / "inner" / os.fsdecode(b"\xff.bin")).write_text("")
    assert len(fingerprint_of(installed).sha256) == 64


@pytest.mark.parametrize("value", ["foo-bar:plugin", "", "?"])
def test_a_malformed_entry_point_covers_metadata_only(site, value):
    site.publish("latelier-lost", "", module="unused", entries={"main": value})
    assert fingerprint_of(site).files.keys() == {"entry_points.txt"}


def test_an_entry_point_of_a_missing_module_covers_metadata_only(site):
    site.publish("latelier-lost", "", module="unused", entries={"main": "no_such_module:plugin"})
    assert fingerprint_of(site).files.keys() == {"entry_points.txt"}
