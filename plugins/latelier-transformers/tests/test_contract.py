"""The conformance kit over the text encoders."""

from typing import Any

import pytest
from latelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.testing import ConditionerContract

from latelier_transformers.plugin import plugin


class TextContract(ConditionerContract):
    inputs = ("a red cat", {"text": "the sea"}, "a white dog in a meadow")
    bad_inputs = ("", 7, {"txt": "a cat"}, "cat " * 30)

    def atelier(self) -> Atelier:
        atelier = Atelier(policy=Policy(allow=frozenset()))
        atelier.register(plugin, "latelier-transformers", "1.0")
        return atelier

    def equip(self, component: Any) -> None:
        component.set_assets(self.files)


class TestClipText(TextContract):
    component = "latelier-transformers/clip_text"

    @pytest.fixture(autouse=True)
    def small(self, clip_config: dict[str, Any], clip_tokenizer: dict[str, bytes]) -> None:
        self.config, self.files = clip_config, clip_tokenizer


class TestPrompts(TextContract):
    """With weights of words, and prompts of two chunks."""

    component = "latelier-transformers/clip_text"
    inputs = ("a (red:1.3) cat", {"text": "the [sea]"}, "a white dog in a meadow " * 2)
    bad_inputs = ("", {"txt": "a cat"}, "(cat:1000)")

    @pytest.fixture(autouse=True, params=["a1111", "comfyui"])
    def small(self, request: Any, clip_config: Any, clip_tokenizer: dict[str, bytes]) -> None:
        self.config = {**clip_config, "prompt_syntax": request.param}
        self.files = clip_tokenizer


class TestClipPairText(TextContract):
    component = "latelier-transformers/clip_pair_text"

    @pytest.fixture(autouse=True)
    def small(self, pair_config: dict[str, Any], clip_tokenizer: dict[str, bytes]) -> None:
        self.config, self.files = pair_config, clip_tokenizer


class TestT5Text(TextContract):
    component = "latelier-transformers/t5_text"

    @pytest.fixture(autouse=True)
    def small(self, t5_config: dict[str, Any], spiece: bytes) -> None:
        self.config, self.files = t5_config, {"spiece.model": spiece}
