"""What every first stage keeps to."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from latelier.contracts.configs import FirstStageConfig
from latelier.contracts.errors import LatelierError
from latelier.testing.module import ModuleContract, is_close
from latelier.testing.randomness import seeded

SCALE = "scale_factor"


class FirstStageContract(ModuleContract):
    """The contract of first stages. A plugin's own test file:

        from latelier.testing import FirstStageContract

        class TestWavelets(FirstStageContract):
            component = "latelier-wavelets/wavelets"
            config = {"levels": 2}
            exact = 1e-4

    component: the full id, 'distribution/name', or the bare name while it is unique.
    config: the fields to build it with; small, so that the tests are fast.
    size: (H, W) of the images to test it with, multiples of its factor.
    channels: of the images.
    exact: how near a decoded image must be to the one encoded; None where only training brings it
        near.
    """  # noqa: D415

    kind = "first_stage"
    size: ClassVar[tuple[int, int]] = (16, 32)
    channels: ClassVar[int] = 3
    exact: ClassVar[float | None] = None

    def given(self, component: Any, rows: Sequence[int], /) -> dict[str, Tensor]:
        """Return images in [-1, 1], each of its own seed."""
        del component
        shape = (self.channels, *self.size)
        images = [torch.rand(shape, generator=torch.Generator().manual_seed(row)) for row in rows]
        return {"images": torch.stack(images) * 2 - 1}

    def made(self, component: Any, given: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return the latents of images, and the images of those."""
        latents = component.encode(given["images"])
        return {"latents": latents, "images": component.decode(latents)}

    @property
    def declared(self) -> FirstStageConfig:
        """Its configuration."""
        config = self.registry.validate_config(self.component, self.config)
        assert isinstance(config, FirstStageConfig)
        return config

    def test_latents_are_of_the_size_that_its_config_says(self) -> None:
        """Denoisers are composed by what the config says: channels, and the factor f."""
        latents = self.run(self.build())["latents"]
        f, (height, width) = self.declared.downsampling, self.size
        expected = (len(self.rows), self.declared.latent_channels, height // f, width // f)
        assert tuple(latents.shape) == expected, (
            f"latents of {height}x{width} images are {tuple(latents.shape)}, not {expected}"
        )

    def test_images_come_back_as_large_as_they_were(self) -> None:
        """With the channels and the size of those encoded."""
        images = self.run(self.build())["images"]
        expected = (len(self.rows), self.channels, *self.size)
        assert tuple(images.shape) == expected, f"decoded images are {tuple(images.shape)}"

    def test_images_come_back_as_they_were(self) -> None:
        """As near as `exact` says, in [-1, 1]."""
        if self.exact is None:
            return
        component = self.build()
        images = self.given(component, self.rows)["images"]
        away = float((self.run(component)["images"] - images).abs().max())
        assert away <= self.exact, (
            f"a decoded image is up to {away:.3g} away from the one encoded, not {self.exact:.3g}: "
            "images are in [-1, 1], and decode undoes what encode did, the scale too"
        )

    def test_its_scale_is_in_the_latents(self) -> None:
        """Twice the `scale_factor` makes twice the latents, which decode to the same images."""
        if SCALE not in type(self.declared).model_fields:
            return
        scale = getattr(self.declared, SCALE)
        one, two = self.build(), self._scaled(2 * scale)
        with torch.no_grad(), seeded():
            images = self.given(one, self.rows)["images"]
            latents = one.encode(images)
            assert is_close(two.encode(images), 2 * latents), (
                "latents are not multiplied by scale_factor in encode"
            )
            assert is_close(two.decode(2 * latents), one.decode(latents)), (
                "latents are not divided by scale_factor in decode"
            )

    def test_one_image_is_as_it_is_in_a_batch(self) -> None:
        """Nothing is computed over the batch."""
        together = self.run(self.build())
        for row in self.rows:
            for name, tensor in self.run(self.build(), [row]).items():
                assert is_close(together[name][row], tensor[0]), (
                    f"the {name} of image {row} are others in a batch"
                )

    def test_images_that_differ_have_latents_that_differ(self) -> None:
        """Otherwise nothing can be made of them."""
        one, other = self.run(self.build())["latents"]
        assert (one - other).abs().max() > 1e-6, "two images have the same latents"

    def test_decoding_is_differentiable(self) -> None:
        """Guidance by pictures goes through it."""
        component = self.build()
        latents = self.run(component)["latents"].clone().requires_grad_()
        with torch.enable_grad():
            images = component.decode(latents)
        assert images.requires_grad, "no gradient passes decode: no `no_grad` or `detach` there"
        (gradient,) = torch.autograd.grad(images.square().sum(), latents)
        assert gradient.isfinite().all(), "the gradient of decode is not finite"

    @pytest.mark.parametrize("what", ["channels", "axes"])
    def test_images_that_do_not_fit_are_one_clear_error(self, what: str) -> None:
        """A host shows it: a LatelierError in one line, and no error of torch's."""
        component = self.build()
        images = self.given(component, self.rows)["images"]
        wrong = torch.cat([images, images], 1) if what == "channels" else images[0]
        refused = None
        try:
            with torch.no_grad():
                component.encode(wrong)
        except LatelierError as error:
            refused = str(error)
        except Exception as error:
            pytest.fail(
                f"images of shape {tuple(wrong.shape)} raise {type(error).__name__} ({error}): "
                "raise InvalidInputError, and say what would fit"
            )
        assert refused, f"images of shape {tuple(wrong.shape)} are taken"
        assert "\n" not in refused, f"the error is not one line: {refused!r}"

    def _scaled(self, scale: float) -> Any:
        """Return it with the same weights and another scale."""
        config = self.declared.model_copy(update={SCALE: scale})
        with seeded():
            component = self.registry.build(self.component, config)
        if isinstance(component, nn.Module):
            component.load_state_dict(self.build().state_dict())
            component.eval()
        return component
