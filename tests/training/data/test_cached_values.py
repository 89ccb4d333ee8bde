"""What a cache stores, compared with what it stored before."""

import json
import runpy
from pathlib import Path

import pytest

TOOL = runpy.run_path(str(Path(__file__).parents[3] / "tools" / "write_cached_values.py"))


@pytest.fixture(scope="module")
def found():
    return TOOL["measure"]()


@pytest.mark.parametrize("kind", ["latents", "features", "conditions"])
def test_values_that_change_have_another_version(found, kind):
    stored = json.loads(TOOL["FILE"].read_text())[kind]
    assert stored["version"] == found[kind]["version"], (
        "VERSION was raised: run python tools/write_cached_values.py"
    )
    assert stored["values"].keys() == found[kind]["values"].keys()
    changes = TOOL["list_changes"](stored, found[kind])
    assert not changes, (
        f"the code gives other {kind}: caches that exist would be wrong. Raise VERSION in "
        f"{TOOL['VERSIONS'][kind].__file__}, then run python tools/write_cached_values.py"
    )


def test_changed_values_are_not_stored_under_the_same_version(found):
    name, values = next(iter(found["latents"]["values"].items()))
    key, numbers = next(iter(values.items()))
    changed = {**found["latents"], "values": {name: {key: [each + 0.1 for each in numbers]}}}
    assert TOOL["list_changes"](changed, found["latents"]) == [f"{name}, {key}"]
    with pytest.raises(SystemExit, match="first raise VERSION"):
        TOOL["refuse_unversioned"]({**found, "latents": changed}, found)
