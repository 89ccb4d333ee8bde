"""A faultless measure, and faulty subclasses of it."""

from itertools import count

import torch

from latelier.contracts.measures import Figure

_calls = count()


class Contrast:
    """Faultless: the mean standard deviation of the levels of pictures."""

    needs = frozenset()

    def __init__(self, config):
        self.unit = config.tiles

    def record(self, pictures, /):
        return {"contrast": pictures.images.float().std((1, 2, 3))}

    def compute(self, records, reference, /):
        return [self.figure(self.mean(records))]

    def mean(self, records):
        total = sum(float(part.double().sum()) for (part,) in records.chunks("contrast"))
        return total / records.count

    def figure(self, value):
        return Figure("contrast", "Contrast", value, "higher", value - 1, value + 1)


class ListsNeeds(Contrast):
    needs = ["features"]


class NeedsWithoutWord(Contrast):
    def record(self, pictures, /):
        errors = pictures.images.float() - pictures.originals.float()
        return {"contrast": errors.std((1, 2, 3))}


class ListsNumbers(Contrast):
    def record(self, pictures, /):
        return {"contrast": super().record(pictures)["contrast"].numpy()}


class CentresTheRows(Contrast):
    def record(self, pictures, /):
        [(name, column)] = super().record(pictures).items()
        return {name: column - column.mean()}


class WipesPictures(Contrast):
    def record(self, pictures, /):
        columns = super().record(pictures)
        pictures.images.zero_()
        return columns


class ChangesFigures(Contrast):
    def compute(self, records, reference, /):
        return [self.figure(self.mean(records) * (1 + 1e-12 * next(_calls)))]


class SeedsTheRun(Contrast):
    def compute(self, records, reference, /):
        torch.manual_seed(1)
        return super().compute(records, reference)


class MeanOfMeans(Contrast):
    def mean(self, records):
        means = [float(part.double().mean()) for (part,) in records.chunks("contrast")]
        return sum(means) / len(means)


class Untitled(Contrast):
    def figure(self, value):
        return Figure("contrast", "", value, "higher")


class SwapsEnds(Contrast):
    def figure(self, value):
        return Figure("contrast", "Contrast", value, "higher", value + 1, value - 1)
