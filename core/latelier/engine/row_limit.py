"""How many rows a shared call of the denoiser may have."""

from collections.abc import Mapping

TOLERANCE = 0.03
"""Share by which fewer rows may be slower than the best."""


class RowLimit:
    """The most rows of a shared call, which depend on the size of the latents.

    A device is full at some number of latent positions, rows x h x w, whatever the size of a
    picture: the limit that is measured at one size holds for the others by their positions. One
    call of a run is never divided by it.

    Args:
        most: rows of any call.
        positions: rows x h x w of any call, until they are measured.

    Attributes:
        most: rows of any call, of the engine's configuration or what memory has left of them.
        curve: rows -> seconds a row, as measured.
    """

    def __init__(self, most: int, positions: int) -> None:
        self.most = most
        self.curve: Mapping[int, float] = {}
        self._positions = positions

    def of(self, height: int, width: int) -> int:
        """Return the most rows, 1 or more, of latents of a height and width."""
        return max(1, min(self.most, self._positions // (height * width)))

    def set_curve(self, curve: Mapping[int, float], positions: int) -> None:
        """Limit the rows to the fewest that are about as fast as the best.

        Args:
            curve: rows -> seconds a row.
            positions: h x w of the latents that it was measured with.
        """
        self.curve = curve
        self._positions = fewest_rows(curve) * positions

    def lower(self, rows: int) -> None:
        """Allow half of the rows that did not fit into memory."""
        self.most = max(1, min(self.most, rows // 2))


def fewest_rows(curve: Mapping[int, float]) -> int:
    """Return the smallest number of rows whose seconds a row are within 3 % of the best."""
    bound = min(curve.values()) * (1 + TOLERANCE)
    return min(rows for rows, seconds in curve.items() if seconds <= bound)
