"""The CLIP score: how well pictures fit their texts (Hessel et al. 2021, arXiv:2104.08718)."""

from collections.abc import Mapping, Sequence
from statistics import fmean

import torch
from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.metrics.intervals import mean_interval
from torch import Tensor
from torch.nn.functional import cosine_similarity

from latelier_transformers.clip_features.configs import ClipFeaturesConfig, ClipScoreConfig
from latelier_transformers.clip_features.network import ClipFeatures


class ClipScore:
    """100 times the cosine of the features of picture and prompt, as torchmetrics defines it."""

    needs = frozenset({"prompt"})

    def __init__(self, config: ClipScoreConfig) -> None:
        self._network = ClipFeatures(ClipFeaturesConfig(weights=config.weights))
        self.identity = self._network.identity

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, Tensor]:
        """Return "clip_score" float32 (B,), and "is_cut" bool (B,): CLIP read not all of it."""
        prompts = [str(sample["prompt"]) for sample in pictures.samples]
        images = self._network(pictures.images).vectors
        texts = self._network.embed_texts(prompts)
        is_cut = [self._network.is_cut(prompt) for prompt in prompts]
        return {
            "clip_score": 100 * cosine_similarity(images, texts),
            "is_cut": torch.tensor(is_cut),
        }

    def compute(self, records: Records, _reference: Reference | None, /) -> Sequence[Figure]:
        """Return the mean, at least 0, with its 95 % interval."""
        scores = records.column("clip_score").tolist()
        low, high = mean_interval(scores) if records.count > 1 else (None, None)
        cut = int(records.column("is_cut").sum())
        note = f"{cut} of {records.count} prompts are longer than CLIP reads; it read their starts"
        return [
            Figure(
                name="clip_score",
                title=f"CLIP score ({self._network.name})",
                value=max(fmean(scores), 0.0),
                better="higher",
                low=None if low is None else max(low, 0.0),
                high=None if high is None else max(high, 0.0),
                note=note if cut else "",
                count=records.count,
            )
        ]
