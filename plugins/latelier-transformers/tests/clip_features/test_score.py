import pytest
import torch
from latelier.contracts.measures import EvaluatedPictures, WeightedMeasure

from latelier_transformers.clip_features.configs import ClipFeaturesConfig, ClipScoreConfig
from latelier_transformers.clip_features.network import ClipFeatures
from latelier_transformers.clip_features.score import ClipScore

PROMPTS = ["a red cat", "the white dog in a meadow"]


class Columns:
    """Records of one batch."""

    network = ""

    def __init__(self, columns):
        self.columns = columns
        self.count = len(columns["clip_score"])

    def column(self, name):
        return self.columns[name]


@pytest.fixture(scope="module")
def measure(folder):
    return ClipScore(ClipScoreConfig(weights=str(folder)))


def record(measure, images, prompts):
    samples = [{"prompt": prompt} for prompt in prompts]
    return Columns(measure.record(EvaluatedPictures(images, samples)))


def test_it_is_100_times_the_cosine(measure, folder, images):
    clip = ClipFeatures(ClipFeaturesConfig(weights=str(folder)))
    pairs = zip(clip(images).vectors.double(), clip.embed_texts(PROMPTS).double(), strict=True)
    scores = [100 * float(x @ y / (x.norm() * y.norm())) for x, y in pairs]
    assert record(measure, images, PROMPTS).column("clip_score").tolist() == pytest.approx(scores)


@pytest.mark.parametrize(("scores", "mean"), [([30.0, 10], 20), ([-30.0, 10], 0)])
def test_the_figure_is_the_mean_and_at_least_0(measure, scores, mean):
    columns = {"clip_score": torch.tensor(scores), "is_cut": torch.tensor([False, False])}
    [figure] = measure.compute(Columns(columns), None)
    assert (figure.value, figure.note) == (mean, "")
    assert figure.title == "CLIP score (CLIP small-clip)"
    assert 0 <= figure.low <= figure.value < figure.high


def test_one_picture_has_no_interval(measure):
    columns = {"clip_score": torch.tensor([20.0]), "is_cut": torch.tensor([False])}
    [figure] = measure.compute(Columns(columns), None)
    assert (figure.value, figure.low, figure.high) == (20, None, None)


def test_its_identity_is_that_of_its_network(measure, folder):
    clip = ClipFeatures(ClipFeaturesConfig(weights=str(folder)))
    assert isinstance(measure, WeightedMeasure)
    assert measure.identity == clip.identity


def test_prompts_that_clip_cuts_are_counted(measure, images):
    [figure] = measure.compute(record(measure, images, ["a cat", "a red cat " * 9]), None)
    assert figure.note.startswith("1 of 2 prompts are longer than CLIP reads")
