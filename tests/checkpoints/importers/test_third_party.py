"""A plugin adds a format, and the host reads it without knowing it."""

import pytest

import latelier
from latelier.contracts.errors import ModelFileError, PluginError
from latelier.conversion.importing import import_model
from latelier.kernel.trust.policy import Policy

CODE = """
import torch
from latelier import hookimpl
from latelier.contracts.importing import Imported, ImportedPart


class Notes:
    options = frozenset({"width"})

    def recognizes(self, source):
        return source.path.suffix == ".notes"

    def read(self, source):
        width = source.options.get("width") or int(source.path.read_text())
        table = torch.full((4, width), 7.0)
        config = {"num_classes": 3, "width": width}
        part = ImportedPart("latelier/class_label", config, {"embedding.weight": table})
        kl = ImportedPart("latelier/identity", {"channels": width})
        return Imported({"first_stage": kl} if width < 9 else {"conditioners.x": part})


class Plugin:
    @hookimpl
    def latelier_register(self, registrar):
        registrar.importer("notes", factory="latelier_notes:Notes")


plugin = Plugin()
"""


def atelier_of(site):
    """Return an atelier of the built-ins and the plugins of a site."""
    from latelier.kernel.atelier import Atelier
    from latelier.kernel.trust.discovery import discover

    own = [each for each in discover() if each.distribution == "latelier"]
    return Atelier(policy=Policy(), candidates=[*own, *site.candidates()])


@pytest.fixture
def atelier(site):
    site.publish("latelier-notes", CODE)
    return atelier_of(site)


def test_a_plugin_can_import_its_own_format(atelier, tmp_path):
    (tmp_path / "a.notes").write_text("3")
    report = import_model(tmp_path / "a.notes", tmp_path / "out", atelier=atelier)
    assert (report.importer, report.standalone_kind) == ("latelier-notes/notes", "first_stage")
    assert {"compvis", "diffusers", "notes"} <= set(atelier.importers.names())


def test_a_plugin_importer_has_its_own_options(atelier, tmp_path):
    (tmp_path / "a.notes").write_text("3")
    import_model(tmp_path / "a.notes", tmp_path / "out", atelier=atelier, width=4)
    with pytest.raises(latelier.LatelierError, match="no option 'widht'"):
        import_model(tmp_path / "a.notes", tmp_path / "b", atelier=atelier, widht=4)


def test_a_plugin_can_import_a_folder_of_diffusers(tmp_path, site):
    is_flux = 'b"Flux" in (source.sibling("model_index.json") or b"")'
    code = CODE.replace('source.path.suffix == ".notes"', is_flux)
    site.publish("latelier-notes", code)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    report = import_model(tmp_path / "in", tmp_path / "out", atelier=atelier_of(site), width=3)
    assert report.importer == "latelier-notes/notes"


def test_a_single_conditioner_is_not_a_model(atelier, tmp_path):
    (tmp_path / "a.notes").write_text("9")
    with pytest.raises(ModelFileError, match=r"holds conditioners\.x: no whole model"):
        import_model(tmp_path / "a.notes", tmp_path / "out", atelier=atelier)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", ["__init__", "recognizes", "read"])
def test_an_importer_that_exits_is_an_error(tmp_path, site, method):
    from latelier.kernel.atelier import Atelier

    exit_ = f"\n\ndef leave(*args):\n    raise SystemExit(3)\n\nNotes.{method} = leave\n"
    site.publish("latelier-notes", CODE + exit_)
    atelier = Atelier(policy=Policy(), candidates=site.candidates())
    (tmp_path / "a.notes").write_text("3")
    with pytest.raises(PluginError, match="importer 'latelier-notes/notes' failed: SystemExit: 3"):
        import_model(tmp_path / "a.notes", tmp_path / "out", atelier=atelier)
