"""A text encoder whose outputs diffusers' pipelines do not take is not exported."""

from types import SimpleNamespace
from typing import Any

import pytest

from latelier.checkpoints.importers.diffusers.export.clip_text import export_clip_text
from latelier.contracts.errors import CompatibilityError

OUTPUTS = {"final_norm": True, "pooled": "none", "null": "empty"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"final_norm": False}, "final_norm=False; expected True"),
        ({"pooled": "token"}, "pooled=token; expected none"),
        ({"null": "zeros"}, "null=zeros; expected empty"),
        ({}, "has no tokenizer"),
    ],
)
def test_other_outputs_are_refused(tmp_path, changes, message):
    component: Any = SimpleNamespace(config=SimpleNamespace(**OUTPUTS | changes), module=object())
    with pytest.raises(CompatibilityError, match=message):
        export_clip_text(component, tmp_path / "model")
    assert not (tmp_path / "model").exists()
