from typing import Any

import pytest
import torch

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.errors import ConditionError, InvalidConfigError, InvalidInputError

TAKES: dict[str, Any] = {
    "context_dim": 8,
    "streams": {"text": {"width": 8, "injection": "native"}, "palette": {"width": 3}},
    "spatial": {"masked": 4, "mask": 1},
    "vectors": {"size": 6},
}


def maps(**options: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"masked": torch.zeros(2, 4, 8, 8), "mask": torch.zeros(2, 1, 8, 8), **options}


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            Condition({"txt": Stream(torch.zeros(2, 3, 8))}, maps()),
            r"takes no stream 'txt'\. Did you mean 'text'\? Known: palette, text",
        ),
        (Condition({}, maps(), {"crop": torch.zeros(2, 6)}), "no vector 'crop'. Known: size"),
        (Condition({}, maps(depth=torch.zeros(2, 1, 8, 8))), "no spatial part 'depth'"),
        (
            Condition({"text": Stream(torch.zeros(2, 3, 9))}, maps()),
            "stream 'text' has width 9, but this denoiser takes 8",
        ),
        (
            Condition({}, maps(), {"size": torch.zeros(2, 5)}),
            "vector 'size' has width 5, but this denoiser takes 6",
        ),
        (
            Condition({}, {"masked": torch.zeros(2, 4, 8, 8)}),
            r"'mask' is missing; this denoiser needs masked \(4 channels\), mask \(1 channels\)",
        ),
        (Condition(), "'masked' is missing"),
        (
            Condition({}, maps(mask=torch.zeros(2, 2, 8, 8))),
            r"'mask' has the shape \(2, 8, 8\), but this denoiser takes \(1, 8, 8\)",
        ),
        (
            Condition({}, maps(mask=torch.zeros(2, 1, 4, 8))),
            r"'mask' has the shape \(1, 4, 8\), but this denoiser takes \(1, 8, 8\)",
        ),
    ],
)
def test_an_invalid_condition_is_explained(
    small_unet: Any, condition: Condition, message: str
) -> None:
    with pytest.raises(ConditionError, match=message):
        small_unet(**TAKES)(torch.zeros(2, 4, 8, 8), torch.zeros(2), condition)


def test_streams_and_vectors_may_be_absent(small_unet: Any) -> None:
    y = small_unet(**TAKES)(torch.zeros(2, 4, 8, 8), torch.zeros(2), Condition({}, maps()))
    assert y.shape == (2, 4, 8, 8)


def test_a_condition_has_as_many_rows_as_x(small_unet: Any) -> None:
    condition = Condition({"text": Stream(torch.zeros(1, 3, 8))})
    model = small_unet(context_dim=8, streams=TAKES["streams"])
    with pytest.raises(ConditionError, match="condition has 1 rows, but x has 2"):
        model(torch.zeros(2, 4, 8, 8), torch.zeros(2), condition)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (4, 8, 8)])
def test_an_x_of_the_wrong_shape_is_refused(small_unet: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match=r"takes \(B, 4, h, w\)$"):
        small_unet()(torch.zeros(shape), torch.zeros(2), Condition())


@pytest.mark.parametrize("size", [(7, 8), (8, 7)])
def test_a_size_that_cannot_be_cut_into_patches_is_refused(
    small_transformer: Any, size: tuple[int, int]
) -> None:
    with pytest.raises(InvalidInputError, match=r"takes \(B, 4, h, w\), h and w multiples of 2$"):
        small_transformer()(torch.zeros(2, 4, *size), torch.zeros(2), Condition())


def test_a_missing_timestep_is_refused(small_unet: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"t has the shape \(1,\); it must be \(2,\)"):
        small_unet()(torch.zeros(2, 4, 8, 8), torch.zeros(1), Condition())


@pytest.mark.parametrize(
    ("control", "message"),
    [
        (
            Control(residuals={"input_block.1": torch.zeros(1)}),
            "no block 'input_block.1'. Did you mean 'input_blocks.1'",
        ),
        (Control(residuals={"output_blocks.9": torch.zeros(1)}), "no block 'output_blocks.9'"),
        (
            Control(perturbed_attention=frozenset({"middle_block.0"})),
            "no self-attention 'middle_block.0'. Did you mean 'middle_block.1'",
        ),
    ],
)
def test_an_unknown_name_in_a_control_is_refused(
    small_unet: Any, control: Control, message: str
) -> None:
    with pytest.raises(ConditionError, match=message):
        small_unet()(torch.zeros(1, 4, 8, 8), torch.zeros(1), Condition(), control)


def test_a_name_reserved_by_torch_is_refused(small_unet: Any) -> None:
    with pytest.raises(InvalidConfigError, match="cannot be named 'keys'"):
        small_unet(vectors={"keys": 3})
