import pytest

from latelier.data.converters.recognize import open_manifest
from latelier.training.data.run_files import store_manifests, stored_manifests


@pytest.fixture
def manifest(pictures):
    return open_manifest(pictures)


def test_a_run_without_a_complete_checkpoint_stores_its_manifests_again(tmp_path, manifest):
    out = tmp_path / "run"
    store_manifests(out, [manifest, manifest])
    (out / "checkpoints" / ".step-00000010.part").mkdir(parents=True)
    assert stored_manifests(out) == []
    store_manifests(out, [manifest])
    (out / "checkpoints" / "step-00000010").mkdir()
    assert [path.name for path in stored_manifests(out)] == ["source-000.jsonl"]


def test_the_manifests_of_a_resumed_run_stay(tmp_path, manifest):
    out = tmp_path / "run"
    store_manifests(out, [manifest])
    (out / "checkpoints" / "step-00000010").mkdir(parents=True)
    store_manifests(out, [manifest, manifest])
    assert len(stored_manifests(out)) == 1
