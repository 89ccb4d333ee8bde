"""The contract of first stages."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from latelier.contracts.configs import FirstStageConfig
from latelier.first_stages.tiling.tiling import TileableKnown
from latelier.testing.module import ModuleContract
from latelier.testing.support.comparison import check_one_clear_error, is_close
from latelier.testing.support.randomness import seeded

SCALE = "scale_factor"


class FirstStageContract(ModuleContract):
    """The contract of first stages. A plugin's own test file:

        from latelier.testing import FirstStageContract

        class TestWavelets(FirstStageContract):
            component = "latelier-wavelets/wavelets"
            config = {"levels": 2}
            max_error = 1e-4

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        config: the fields to build it with; small, so that the tests are fast.
        size: (H, W) of the images to test it with, multiples of its factor f.
        channels: of the images.
        max_error: greatest difference between an image in [-1, 1] and its reconstruction; None
            for a first stage that reconstructs only after training.
    """  # noqa: D415

    kind = "first_stage"
    size: ClassVar[tuple[int, int]] = (16, 32)
    channels: ClassVar[int] = 3
    max_error: ClassVar[float | None] = None

    @property
    def validated_config(self) -> FirstStageConfig:
        """The configuration that it is built with."""
        config = self.registry.validate_config(self.component, self.config)
        assert isinstance(config, FirstStageConfig)
        return config

    def make_inputs(self, component: Any, rows: Sequence[int], /) -> dict[str, Tensor]:
        """Return images in [-1, 1], each row with its own seed."""
        del component
        shape = (self.channels, *self.size)
        images = [torch.rand(shape, generator=torch.Generator().manual_seed(row)) for row in rows]
        return {"images": torch.stack(images) * 2 - 1}

    def compute(self, component: Any, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return the latents of images, and the images decoded from them.

        A first stage with known inputs also gives "completed": the images with known pixels, which
        are those of the left half.
        """
        latents = component.encode(inputs["images"])
        images = component.decode(latents)
        if not self.validated_config.known_inputs:
            return {"latents": latents, "images": images}
        completed = component.add_known(images, self._cover_left_half(inputs["images"]))
        return {"latents": latents, "images": images, "completed": completed}

    def test_latents_have_the_configured_shape(self) -> None:
        """Denoisers are composed by the config: its channels, and its factor f."""
        latents = self.run(self.build())["latents"]
        f, (height, width) = self.validated_config.downsampling, self.size
        channels = self.validated_config.latent_channels
        expected = (len(self.rows), channels, height // f, width // f)
        assert tuple(latents.shape) == expected, (
            f"latents of {height}x{width} images are {tuple(latents.shape)}, not {expected}"
        )

    def test_decoded_images_have_the_shape_of_the_encoded(self) -> None:
        """Channels, height and width stay."""
        images = self.run(self.build())["images"]
        expected = (len(self.rows), self.channels, *self.size)
        assert tuple(images.shape) == expected, f"decoded images are {tuple(images.shape)}"

    def test_images_survive_encoding_and_decoding(self) -> None:
        """As near as `max_error` says, in [-1, 1]."""
        if self.max_error is None:
            return
        component = self.build()
        images = self.make_inputs(component, self.rows)["images"]
        error = float((self.run(component)["images"] - images).abs().max())
        assert error <= self.max_error, (
            f"a decoded image differs by up to {error:.3g} from the encoded one, not "
            f"{self.max_error:.3g}: images are in [-1, 1], and decode inverts encode, its scale too"
        )

    def test_latents_are_multiplied_by_the_scale_factor(self) -> None:
        """Twice the `scale_factor` makes twice the latents, which decode to the same images."""
        if SCALE not in type(self.validated_config).model_fields:
            return
        one, two = self.build(), self._build_doubled()
        with torch.no_grad(), seeded():
            images = self.make_inputs(one, self.rows)["images"]
            latents = one.encode(images)
            assert is_close(two.encode(images), 2 * latents), (
                "latents are not multiplied by scale_factor in encode"
            )
            assert is_close(two.decode(2 * latents), one.decode(latents)), (
                "latents are not divided by scale_factor in decode"
            )

    def test_rows_of_a_batch_are_independent(self) -> None:
        """Nothing is computed over the batch."""
        together = self.run(self.build())
        for row in self.rows:
            for name, tensor in self.run(self.build(), [row]).items():
                assert is_close(together[name][row], tensor[0]), (
                    f"the {name} of row {row} differ when it is alone"
                )

    def test_different_images_have_different_latents(self) -> None:
        """Otherwise no denoiser can tell them apart."""
        one, other = self.run(self.build())["latents"]
        assert (one - other).abs().max() > 1e-6, "two images have the same latents"

    def test_decoding_is_differentiable(self) -> None:
        """Guidance by pictures differentiates through it."""
        component = self.build()
        latents = self.run(component)["latents"].clone().requires_grad_()
        with torch.enable_grad():
            images = component.decode(latents)
        assert images.requires_grad, "no gradient passes decode: no `no_grad` or `detach` there"
        (gradient,) = torch.autograd.grad(images.square().sum(), latents)
        assert gradient.isfinite().all(), "the gradient of decode is not finite"

    def test_known_pixels_are_added_in_tiles_as_in_the_whole(self) -> None:
        """Tiles save memory, and no one should see them."""
        if not self.validated_config.known_inputs or not isinstance(self.build(), TileableKnown):
            return
        component = self.build()
        with torch.no_grad(), seeded():
            images = self.make_inputs(component, self.rows)["images"]
            known = self._cover_left_half(images)
            whole = component.add_known(images, known)
            tiled = component.add_known_tiled(images, known, tile=8)
        assert whole.shape == images.shape, f"images with known pixels are {tuple(whole.shape)}"
        assert is_close(tiled, whole), "add_known_tiled gives another picture than add_known"

    def test_known_pixels_of_a_wrong_shape_raise_one_clear_error(self) -> None:
        """A host shows its text: a LatelierError in one line, and no error of torch's."""
        if not self.validated_config.known_inputs:
            return
        component = self.build()
        images = self.make_inputs(component, self.rows)["images"]
        wrong = self._cover_left_half(images)[:, 1:]
        check_one_clear_error(
            lambda: component.add_known(images, wrong),
            f"known pixels of shape {tuple(wrong.shape)}",
            "raise InvalidInputError, and name the shape that would fit",
        )

    @pytest.mark.parametrize("fault", ["channels", "axes"])
    def test_wrong_images_raise_one_clear_error(self, fault: str) -> None:
        """A host shows its text: a LatelierError in one line, and no error of torch's."""
        component = self.build()
        images = self.make_inputs(component, self.rows)["images"]
        wrong = torch.cat([images, images], dim=1) if fault == "channels" else images[0]
        check_one_clear_error(
            lambda: component.encode(wrong),
            f"images of shape {tuple(wrong.shape)}",
            "raise InvalidInputError, and name the shape that would fit",
        )

    def _cover_left_half(self, images: Tensor) -> Tensor:
        """Return the left half of images, as each of the known inputs would know it."""
        color = torch.cat([(images + 1) / 2, torch.ones_like(images[:, :1])], dim=1)
        color[..., color.shape[3] // 2 :] = 0
        return color.repeat(1, len(self.validated_config.known_inputs), 1, 1)

    def _build_doubled(self) -> Any:
        """Return the component with the same weights and twice the scale."""
        scale = getattr(self.validated_config, SCALE)
        twice = tuple(2 * each for each in scale) if isinstance(scale, tuple) else 2 * scale
        config = self.validated_config.model_copy(update={SCALE: twice})
        with seeded():
            component = self.registry.build(self.component, config)
        if isinstance(component, nn.Module):
            component.load_state_dict(self.build().state_dict())
            component.eval()
        return component
