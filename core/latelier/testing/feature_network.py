"""The contract of feature networks."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from latelier.contracts.features import FeatureNetwork, Features
from latelier.testing.module_config import ConfigChecks
from latelier.testing.side_effects import SideEffectChecks, isolate_home
from latelier.testing.support.audit import Activity, watch
from latelier.testing.support.comparison import check_one_clear_error, has_same_bits, is_close
from latelier.testing.support.evaluated import draw_pictures
from latelier.testing.support.randomness import GlobalState, seeded

ROWS = 3
_SEED = 61_803
"""A seed that a network hardly gives the global random state itself."""


class FeatureNetworkContract(ConfigChecks, SideEffectChecks):
    """The contract of feature networks. A plugin's own test file:

        from latelier.testing import FeatureNetworkContract

        class TestGradients(FeatureNetworkContract):
            component = "latelier-gradients/gradients"
            config = {"bins": 8}
            others = ({"bins": 4},)

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        config: the fields to build it with; paths are absolute.
        others: configurations with other features, which have another identity.
        size: (H, W) of the pictures to test it with.
    """  # noqa: D415

    kind = "feature_network"
    others: ClassVar[tuple[dict[str, Any], ...]] = ()
    size: ClassVar[tuple[int, int]] = (64, 96)

    @property
    def images(self) -> Tensor:
        """The pictures of the tests, uint8 (B, 3, H, W)."""
        return draw_pictures(ROWS, self.size)

    def build(self) -> FeatureNetwork:
        """Return a new network."""
        network: FeatureNetwork = self.registry.build(self.component, self.config)
        return network

    def extract(self, network: FeatureNetwork, images: Tensor) -> dict[str, Tensor]:
        """Return the features of pictures by name, without logits where there are none."""
        features = network(images.clone())
        found = {"vectors": features.vectors, "logits": features.logits}
        return {name: each for name, each in found.items() if each is not None}

    def test_it_says_what_it_is(self) -> None:
        """Results name the network, and statistics keep its identity."""
        network = self.build()
        for name in ("name", "identity"):
            text = getattr(network, name)
            assert isinstance(text, str), f"its {name} is {type(text).__name__}, not a text"
            assert text.strip(), f"its {name} is empty"
            assert "\n" not in text, f"its {name} has several lines"

    def test_its_features_have_the_declared_shape(self) -> None:
        """Vectors are float32 (B, width), and logits None or float32 (B, K)."""
        network = self.build()
        features = network(self.images)
        assert isinstance(features, Features), f"it returns {type(features).__name__}"
        expected = (ROWS, network.width)
        assert tuple(features.vectors.shape) == expected, (
            f"vectors are {tuple(features.vectors.shape)}, not {expected}, of its width"
        )
        for name, each in self.extract(network, self.images).items():
            assert each.dtype == torch.float32, f"{name} are {each.dtype}: return .float()"
            assert each.ndim == 2, f"{name} are {tuple(each.shape)}"
            assert len(each) == ROWS, f"{name} have {len(each)} rows for {ROWS} pictures"

    def test_features_are_finite(self) -> None:
        """A number that is not spoils the statistics of all pictures."""
        for name, each in self.extract(self.build(), self.images).items():
            assert each.isfinite().all(), f"{name} have numbers that are not finite"

    def test_it_is_frozen(self) -> None:
        """No graph of gradients is built, which would take memory at every call."""
        for name, each in self.extract(self.build(), self.images).items():
            assert not each.requires_grad, f"{name} have gradients: call requires_grad_(False)"

    def test_it_is_deterministic(self) -> None:
        """The same configuration gives the same bits: dropout is off, and nothing is drawn."""
        one, other = (self.extract(self._build_seeded(), self.images) for _ in range(2))
        for name, each in one.items():
            assert has_same_bits(each, other[name]), (
                f"{name} differ between two networks of one configuration: call eval(), read all "
                "weights from the file, and draw nothing"
            )

    def test_it_leaves_the_global_random_state_alone(self) -> None:
        """It neither draws from the global random numbers nor seeds them."""
        with seeded(_SEED):
            state = GlobalState()
            self.extract(self.build(), self.images)
            changed = state.changed()
        assert not changed, f"the global random state of {', '.join(changed)} changes"

    def test_each_picture_as_if_alone(self) -> None:
        """Its features do not depend on the others of its batch."""
        together = self.extract(self.build(), self.images)
        for row in range(ROWS):
            alone = self.extract(self.build(), self.images[row : row + 1])
            for name, each in alone.items():
                assert is_close(each[0], together[name][row]), (
                    f"{name} of a picture differ when it is alone: call eval(), for batch norms"
                )

    def test_the_order_of_calls_does_not_matter(self) -> None:
        """Nothing is kept from one call to the next."""
        expected = self.extract(self.build(), self.images)
        network = self.build()
        self.extract(network, self.images.flip(0)[:2])
        for name, each in self.extract(network, self.images).items():
            assert is_close(each, expected[name]), f"{name} depend on earlier calls"

    def test_different_pictures_have_different_features(self) -> None:
        """Otherwise nothing can be compared by them."""
        vectors = self.extract(self.build(), self.images)["vectors"]
        assert not is_close(vectors[0], vectors[1]), "two pictures have the same features"

    def test_other_features_have_another_identity(self) -> None:
        """The identity says all that features depend on, such as the rule of resizing."""
        known = {self.build().identity}
        for config in self.others:
            identity = self.registry.build(self.component, config).identity
            assert identity not in known, (
                f"with {config} it has an identity that it has with other features too: "
                f"'{identity}'"
            )
            known.add(identity)

    @pytest.mark.parametrize("fault", ["floats", "channels", "axes"])
    def test_other_tensors_raise_one_clear_error(self, fault: str) -> None:
        """A LatelierError in one line that says what is expected."""
        images = self.images
        wrong = {
            "floats": images / 255,
            "channels": images[:, :1],
            "axes": images[0],
        }[fault]
        network = self.build()
        check_one_clear_error(
            lambda: network(wrong),
            f"{wrong.dtype} {tuple(wrong.shape)} in place of pictures",
            "raise InvalidInputError for all but uint8 (B, 3, H, W)",
        )

    @pytest.fixture
    def activity(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Activity:
        """What it does to the machine while it is built and used."""
        temporary = isolate_home(tmp_path, monkeypatch)
        with watch(temporary) as activity:
            self.extract(self.build(), self.images)
        return activity

    def _build_seeded(self) -> FeatureNetwork:
        with seeded():
            return self.build()
