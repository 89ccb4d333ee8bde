"""What every conditioner keeps to, by the conformance kit. It needs this package installed."""

from latelier.testing import ConditionerContract


class TestPalette(ConditionerContract):
    component = "latelier-palette/palette"
    config = {"width": 16}
    inputs = [
        ["#ff0000"],
        ["#00ff00", "navy"],
        {"colors": ["#1d3557", "#e63946", "#f1faee"], "shares": [0.6, 0.3, 0.1]},
    ]
    bad_inputs = [
        ["no colour"],
        [],
        ["red"] * 9,
        "nowhere.png",
        {"colors": ["red", "navy"], "shares": [0.5]},
        {"colors": ["red"], "shares": [1.5]},
    ]
