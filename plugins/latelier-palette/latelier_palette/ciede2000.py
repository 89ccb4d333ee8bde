"""The colour difference CIEDE2000."""

import numpy as np
from numpy.typing import NDArray

Lab = NDArray[np.float64]


def ciede2000(first: Lab, second: Lab) -> Lab:
    """Return the difference of Lab colours (..., 3), which broadcast. About 1 is just visible.

    Sharma, Wu and Dalal 2005, "The CIEDE2000 color-difference formula", doi:10.1002/col.20070,
    equations 2 to 22, with k_L = k_C = k_H = 1. Angles are in degrees, as in the paper.
    """
    first, second = np.broadcast_arrays(first, second)
    L1, a1, b1 = np.moveaxis(first.astype(np.float64), -1, 0)
    L2, a2, b2 = np.moveaxis(second.astype(np.float64), -1, 0)

    C_mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    G = 0.5 * (1 - np.sqrt(C_mean**7 / (C_mean**7 + 25.0**7)))
    C1, h1 = _polar((1 + G) * a1, b1)
    C2, h2 = _polar((1 + G) * a2, b2)

    grey = C1 * C2 == 0
    turn = np.where(grey, 0, (h2 - h1 + 180) % 360 - 180)
    turn = np.where(~grey & (h2 - h1 == 180), 180, turn)  # half a turn keeps its sign
    dL, dC = L2 - L1, C2 - C1
    dH = 2 * np.sqrt(C1 * C2) * _sin(turn / 2)

    L, C = (L1 + L2) / 2, (C1 + C2) / 2
    apart = np.abs(h1 - h2) > 180
    h = (h1 + h2) / 2 + np.where(apart, np.where(h1 + h2 < 360, 180, -180), 0)
    h = np.where(grey, h1 + h2, h)
    T = (
        1
        - 0.17 * _cos(h - 30)
        + 0.24 * _cos(2 * h)
        + 0.32 * _cos(3 * h + 6)
        - 0.20 * _cos(4 * h - 63)
    )
    S_L = 1 + 0.015 * (L - 50) ** 2 / np.sqrt(20 + (L - 50) ** 2)
    S_C = 1 + 0.045 * C
    S_H = 1 + 0.015 * C * T
    R_C = 2 * np.sqrt(C**7 / (C**7 + 25.0**7))
    R_T = -_sin(60 * np.exp(-(((h - 275) / 25) ** 2))) * R_C
    squared = (dL / S_L) ** 2 + (dC / S_C) ** 2 + (dH / S_H) ** 2 + R_T * (dC / S_C) * (dH / S_H)
    return np.asarray(np.sqrt(np.maximum(squared, 0)))


def _polar(a: Lab, b: Lab) -> tuple[Lab, Lab]:
    """Return chroma and hue angle in 0..360; the hue of grey is 0."""
    return np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


def _sin(degrees: Lab) -> Lab:
    return np.asarray(np.sin(np.radians(degrees)))


def _cos(degrees: Lab) -> Lab:
    return np.asarray(np.cos(np.radians(degrees)))
