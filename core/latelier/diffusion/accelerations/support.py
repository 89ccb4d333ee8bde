"""Whether a denoiser can be accelerated."""

from latelier.contracts.errors import CompatibilityError
from latelier.contracts.sampling import Predict


def check_support(predict: Predict, acceleration: str, control: str) -> None:
    """Check that the denoiser supports the field of `Control` that an acceleration needs.

    Raises:
        CompatibilityError: it does not.
    """
    if control not in predict.config.supports:
        raise CompatibilityError(
            f"acceleration '{acceleration}' needs a denoiser that supports '{control}', and this "
            "model's does not; run it without acceleration"
        )
