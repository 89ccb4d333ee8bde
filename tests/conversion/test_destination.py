"""Which folders --force replaces."""

import pytest

import latelier
from latelier.checkpoints.component import new_component, save_component
from latelier.contracts.errors import InvalidInputError
from latelier.conversion.building import build_model
from latelier.conversion.destination import check_destination, write_folder
from latelier.conversion.exporting import export_model
from latelier.conversion.importing import import_model

IDENTITY = ("first_stage", "identity", {"channels": 3})


def test_a_new_folder_is_created(tmp_path):
    check_destination(tmp_path / "new", force=False)
    check_destination(tmp_path / "new", force=True)


def test_a_folder_is_replaced_only_on_request(tmp_path):
    with pytest.raises(InvalidInputError, match="already exists; --force replaces it"):
        check_destination(tmp_path, force=False)
    check_destination(tmp_path, force=True)  # it is empty


def test_models_and_components_are_replaced(tmp_path, tiny, built_ins):
    tiny.save(tmp_path / "model")
    save_component(tmp_path / "component", new_component(*IDENTITY, built_ins))
    check_destination(tmp_path / "model", force=True)
    check_destination(tmp_path / "component", force=True)


def test_other_folders_are_never_replaced(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(InvalidInputError, match=r"holds no model \(no latelier\.json or comp"):
        check_destination(tmp_path, force=True)
    with pytest.raises(InvalidInputError, match="already exists, and is a file"):
        check_destination(tmp_path / "holiday.jpg", force=True)
    assert (tmp_path / "holiday.jpg").is_file()


def test_an_export_replaces_an_export_and_nothing_else(tmp_path, compose_tiny, built_ins):
    pipeline = compose_tiny(
        denoiser=("unet", UNET), conditioners={}, inputs={}, process={"kind": "vp"}
    )
    pipeline.save(tmp_path / "model")
    for _ in range(2):
        export_model(tmp_path / "model", tmp_path / "out", force=True, atelier=built_ins)
    with pytest.raises(InvalidInputError, match="holds no model of diffusers"):
        export_model(tmp_path / "model", tmp_path / "model", force=True, atelier=built_ins)
    assert latelier.load(tmp_path / "model", device="cpu", atelier=built_ins)


def write_while(folder, appear, *, force):
    """Write a folder of one file "new"; `appear` runs while it is filled."""
    with write_folder(folder, force=force) as temporary:
        (temporary / "new").touch()
        appear()


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_that_appears_meanwhile_is_kept(tmp_path, force):
    folder = tmp_path / "out"

    def appear():
        folder.mkdir()
        (folder / "holiday.jpg").touch()

    with pytest.raises(InvalidInputError, match=r"out: already exists, and holds no model"):
        write_while(folder, appear, force=force)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "holiday.jpg"]


def test_a_model_that_appears_meanwhile_is_replaced_only_with_force(tmp_path, tiny):
    folder = tmp_path / "out"
    with pytest.raises(InvalidInputError, match="out: already exists; --force replaces it"):
        write_while(folder, lambda: tiny.save(folder), force=False)
    assert not (folder / "new").exists()
    write_while(folder, lambda: tiny.save(folder), force=True)
    assert [path.name for path in folder.iterdir()] == ["new"]


@pytest.mark.parametrize("convert", [import_model, export_model])
def test_a_conversion_keeps_a_folder_that_appears_meanwhile(
    tmp_path, compose_tiny, built_ins, convert
):
    source, out = tmp_path / "model", tmp_path / "out"
    compose_tiny(denoiser=("unet", UNET), conditioners={}, inputs={}, process={"kind": "vp"}).save(
        source
    )
    if convert is import_model:
        export_model(source, tmp_path / "theirs", atelier=built_ins)
        source = tmp_path / "theirs"

    def appear(_stage):
        out.mkdir(exist_ok=True)
        (out / "holiday.jpg").touch()

    with pytest.raises(InvalidInputError, match="out: already exists"):
        convert(source, out, on_stage=appear, atelier=built_ins)
    assert [path.name for path in out.iterdir()] == ["holiday.jpg"]


def test_force_does_not_remove_the_source_of_an_import(tmp_path, tiny, built_ins):
    folder, outside = tmp_path / "model", tmp_path / "w.ckpt"
    tiny.save(folder)
    outside.touch()
    (folder / "w.yaml").write_text("model: {}")
    for source, config in ((folder, None), (folder / "w.yaml", None), (outside, folder / "w.yaml")):
        with pytest.raises(InvalidInputError, match=r"model: holds the source .*name another"):
            import_model(source, folder, config=config, force=True, atelier=built_ins)
    assert (folder / "w.yaml").is_file()


def test_force_finds_the_source_behind_a_link(tmp_path, tiny, built_ins):
    folder, link = tmp_path / "model", tmp_path / "link"
    tiny.save(folder)
    (folder / "w.ckpt").touch()
    link.symlink_to(folder)
    for source, destination in (
        (folder, link),
        (link / "w.ckpt", folder),
        (folder / "w.ckpt", link),
    ):
        with pytest.raises(InvalidInputError, match="holds the source"):
            import_model(source, destination, force=True, atelier=built_ins)
    assert (folder / "w.ckpt").is_file()


def test_force_does_not_remove_the_source_of_an_export(tmp_path, tiny, built_ins):
    folder = tmp_path / "theirs"
    tiny.save(folder / "ours")
    (folder / "model_index.json").touch()
    (tmp_path / "link").symlink_to(folder / "ours")
    for source in (folder / "ours", tmp_path / "link"):
        with pytest.raises(InvalidInputError, match=r"theirs: holds the source .*name another"):
            export_model(source, folder, force=True, atelier=built_ins)
    assert (folder / "ours" / "latelier.json").is_file()


def test_force_does_not_remove_the_preset_of_a_build(tmp_path, tiny, built_ins):
    tiny.save(tmp_path / "model")
    preset = tmp_path / "model" / "preset.yaml"
    preset.write_text("first_stage: {id: autoencoder_kl, config: {ch: 8, num_groups: 4}}")
    with pytest.raises(InvalidInputError, match="model: holds the source"):
        build_model(preset, tmp_path / "model", force=True, atelier=built_ins)
    assert preset.is_file()


UNET = {
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 8,
    "channel_mult": (1, 2),
    "num_res_blocks": 1,
    "num_heads": 1,
    "num_groups": 4,
}
