from types import SimpleNamespace

from latelier.diffusion.accelerations.predictor import AcceleratedPredictor


def test_an_accelerated_predictor_offers_what_the_exact_one_does():
    exact = SimpleNamespace(
        config="config", decode="{} decoded".format, condition_for="for {}".format
    )
    predict = AcceleratedPredictor(exact, lambda *arguments: arguments)
    assert predict.config == "config"
    assert predict.decode("latents") == "latents decoded"
    assert predict.condition_for("a cat") == "for a cat"
    assert predict("x", 1.0, ["condition"]) == ("x", 1.0, ["condition"], None)
