"""Checks of the configuration of a module."""

from latelier.testing.module_base import ModuleBase
from latelier.testing.support.probe import imports_torch
from latelier.testing.support.schemas import check_described, check_refuses, check_round_trip


class ConfigChecks(ModuleBase):
    """A configuration can be stored, refuses unknown fields, and describes itself without torch."""

    def test_its_config_survives_a_round_trip(self) -> None:
        """A pipeline stores the config as JSON: it comes back as the same value."""
        model = self.registry.config_class(self.component)
        config = self.registry.validate_config(self.component, self.config)
        check_round_trip(model, config, "config")

    def test_its_config_refuses_unknown_fields(self) -> None:
        """A misspelt field is an error, and not a silent default."""
        model = self.registry.config_class(self.component)
        check_refuses(model, dict(self.config), "config")

    def test_its_config_is_described(self) -> None:
        """Every field has a description in the JSON schema."""
        check_described(self.registry.config_class(self.component), "config")

    def test_its_schemas_do_not_import_torch(self) -> None:
        """Schemas, forms, help and validation import the modules of config and input alone."""
        texts = [text for text in (self.spec.config, self.spec.input) if text]
        modules = sorted({text.partition(":")[0] for text in texts})
        assert not imports_torch(*modules), (
            f"importing {' or '.join(modules)} imports torch: keep config and input in modules "
            "apart from the one that computes, and import nothing heavy in the package's __init__"
        )
