from latelier.training.step_names import list_steps, step_name, step_of


def test_steps_are_listed_by_number_and_other_names_are_left_out(tmp_path):
    steps = (5, 123_456_789, 40)
    for step in steps:
        (tmp_path / step_name(step)).mkdir()
        (tmp_path / f"{step_name(step)}.png").touch()
    for name in (".step-00000006.part", "step-7", "step-00000008-copy", "step-x", "last"):
        (tmp_path / name).touch()
    for suffix in ("", ".png"):
        found = list_steps(tmp_path, suffix)
        assert [path.name for path in found] == [f"{step_name(s)}{suffix}" for s in sorted(steps)]
        assert [step_of(path) for path in found] == sorted(steps)


def test_a_missing_folder_has_no_steps(tmp_path):
    assert list_steps(tmp_path / "none") == []
