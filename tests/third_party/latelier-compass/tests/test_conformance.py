from latelier.testing import ConditionerContract


class TestCompass(ConditionerContract):
    component = "latelier-compass/compass"
    config = {"width": 8}
    inputs = [0, 90, {"degrees": 180.5}]
    bad_inputs = [360, "north", {"degree": 3}]
