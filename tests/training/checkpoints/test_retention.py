"""Which checkpoints of a run are kept."""

from latelier.training.checkpoints.checkpoint import Checkpoint, write_state
from latelier.training.checkpoints.retention import delete_superseded
from latelier.training.configs.training import Training
from latelier.training.step_names import step_name


def write_states(folder, bad_steps):
    for step, count in bad_steps.items():
        path = folder / step_name(step)
        path.mkdir()
        write_state(path, Checkpoint(step, {}, {}, {}, {"faults": {"bad_steps": count}}))


def test_a_checkpoint_after_a_skipped_step_supersedes_no_sound_one(tmp_path):
    write_states(tmp_path, {1: 0, 2: 0, 3: 1, 4: 2})
    config = Training(out=tmp_path, steps=100, keep={"last": 1, "best": 0})
    delete_superseded(tmp_path, config)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000004"]
