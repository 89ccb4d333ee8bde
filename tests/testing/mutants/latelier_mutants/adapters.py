"""Faultless residual and weight adapters, and faulty subclasses of them."""

from dataclasses import replace

from safetensors.torch import load_file
from torch import nn

from latelier.checkpoints.lora.lora import Lora
from latelier.contracts.errors import CompatibilityError
from latelier.denoisers.adapter import AttentionAdapter
from latelier.nn.low_rank import LowRank


class Resampler(AttentionAdapter):
    """Faultless."""


class WrongWidthAdapter(AttentionAdapter):
    def layer(self, name):
        layer = super().layer(name)

        def call(tokens):
            keys, values = layer(tokens)
            return keys, values.repeat(1, 1, 2)

        return call


class SeesMaskedAdapter(AttentionAdapter):
    def forward(self, stream):
        return super().forward(replace(stream, mask=None))


class IgnoresTheTokens(AttentionAdapter):
    def forward(self, stream):
        return super().forward(replace(stream, tokens=stream.tokens * 0 + 1))


class Sketch(nn.Module):
    """Faultless: a convolution of the hint and of x."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.hint = nn.Conv2d(1, config.channels, 1)
        self.x = nn.Conv2d(4, config.channels, 1)

    def residuals(self, x, t, condition, hint):
        given = hint[:, -1:, :1, :1]
        return {"middle": (self.hint(hint[:, :1]) + self.x(x)) * given}


class FitsAll(Sketch):
    """Its configuration checks nothing."""


class AnotherBlock(Sketch):
    def residuals(self, *arguments):
        return {"skips.0": super().residuals(*arguments)["middle"]}


class ActsWithoutAHint(Sketch):
    def residuals(self, x, t, condition, hint):
        return {"middle": self.hint(hint[:, :1]) + self.x(x)}


class IgnoresTheHint(Sketch):
    def residuals(self, x, t, condition, hint):
        given = hint.flatten(1).any(1).view(-1, 1, 1, 1)
        zero = self.hint(hint[:, :1] * 0)
        return {"middle": (self.x(x) + zero) * given}


class MeanOfTheBatchAdapter(Sketch):
    def residuals(self, x, t, condition, hint):
        return super().residuals(x + x.mean(0, keepdim=True), t, condition, hint)


class ChangesT(Sketch):
    def residuals(self, x, t, condition, hint):
        return super().residuals(x, t.div_(1000), condition, hint)


class Plain(Lora):
    """Faultless."""


class Misaddressed(Lora):
    @property
    def changes(self):
        return {f"{address}s": each for address, each in super().changes.items()}


class Endless(LowRank):
    def difference(self, weight):
        return super().difference(weight) / 0


class InPlace(LowRank):
    def difference(self, weight):
        found = super().difference(weight)
        weight.mul_(2)
        return found


def _with(change):
    """Return a LoRA whose changes are of another class."""

    class Changed(Lora):
        def __init__(self, changes):
            super().__init__(
                {k: change(each.down, each.up, each.alpha) for k, each in changes.items()}
            )

    return Changed


NotFinite = _with(Endless)
ChangesWeights = _with(InPlace)


class WritesHalf(Lora):
    def write(self, path, model):
        changes = {
            k: LowRank(each.down, each.up * 0.5, each.alpha) for k, each in self.layers.items()
        }
        return Lora(changes).write(path, model)


class RecognizesAll(Lora):
    @classmethod
    def recognizes(cls, shapes):
        return True


class TakesAnyModel(Lora):
    @classmethod
    def read(cls, path, model):
        try:
            return super().read(path, model)
        except CompatibilityError:
            return cls({})


class NakedFileError(Lora):
    @classmethod
    def read(cls, path, model):
        load_file(path)
        return super().read(path, model)
