import logging

import pytest
import torch
from pydantic import ValidationError

from latelier.evaluation.classifier.training import ClassifierTraining, train_classifier

TINY = ClassifierTraining(
    seed=3, scenes=32, epochs=4, batch_size=32, warmup=1, workers=0, log_every=2
)


def test_training_lowers_the_loss_and_is_reproducible(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="latelier.evaluation.classifier.training")
    state = torch.get_rng_state()
    first, second = train_classifier(TINY), train_classifier(TINY)
    assert torch.equal(torch.get_rng_state(), state)
    lines = [record.getMessage() for record in caplog.records if "loss" in record.getMessage()]
    losses = [float(line.split("loss ")[1].split()[0]) for line in lines]
    assert len(losses) == 4
    assert losses[1] < losses[0] - 0.5
    assert losses[:2] == losses[2:]
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name]), name


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scenes": 100}, "100 scenes do not fill a batch of 128"),
        ({"batch_size": 8}, "greater than or equal to 32"),
        ({"epoch": 3}, "not permitted"),
    ],
)
def test_invalid_training_arguments_are_errors(values: dict[str, int], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ClassifierTraining.model_validate(values)
