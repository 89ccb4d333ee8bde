"""A faultless denoiser, and faulty subclasses of it."""

from dataclasses import replace

import torch
from torch import nn

from latelier.contracts.components import Control
from latelier.contracts.errors import ConditionError
from latelier.denoisers.unet import UNet

CHANNELS = 4


class Mixer(nn.Module):
    """Faultless: works pixel by pixel; one attention over the text adds a vector to all pixels."""

    def __init__(self, config):
        super().__init__()
        self._config = config
        self.pixel = nn.Conv2d(CHANNELS + 2, config.width, 1)
        self.label = nn.Linear(5, config.width)
        self.time = nn.Linear(1, config.width)
        self.key = nn.Linear(6, config.width)
        self.value = nn.Linear(6, config.width, bias=False)
        self.query = nn.Parameter(torch.zeros(config.width))
        self.out = nn.Conv2d(config.width, CHANNELS, 1)

    @property
    def config(self):
        return self._config

    def check(self, x, condition):
        inputs = self._config.inputs()
        for name, stream in condition.streams.items():
            if name not in inputs.streams or stream.tokens.shape[2] != 6:
                raise ConditionError(f"the stream '{name}' does not fit; known: text of width 6")
        for name in condition.vectors:
            if name not in inputs.vectors:
                raise ConditionError(f"no vector '{name}'; known: label")
        if "map" not in condition.spatial:
            raise ConditionError("the spatial part 'map' is missing")
        if condition.batch != len(x):
            raise ConditionError(f"the condition has {condition.batch} rows, x {len(x)}")

    def check_control(self, control):
        if control is not None and (control.residuals or control.perturbed_attention):
            raise ConditionError("this denoiser supports no control")

    def weights(self, stream):
        logits = self.key(stream.tokens) @ self.query  # (B, N)
        if stream.mask is None:
            return logits.softmax(1)
        weights = logits.masked_fill(~stream.mask, -1e4).softmax(1)
        return weights.masked_fill(~stream.mask, 0)

    def attend(self, stream):
        tokens = stream.tokens
        if stream.mask is not None:
            tokens = tokens.masked_fill(~stream.mask[..., None], 0)
        return (self.weights(stream)[..., None] * self.value(tokens)).sum(1) * stream.scale

    def embed(self, t, condition):
        emb = self.time((t / 1000)[:, None].to(self.query.dtype))
        if "label" in condition.vectors:
            emb = emb + self.label(condition.vectors["label"])
        if "text" in condition.streams:
            emb = emb + self.attend(condition.streams["text"])
        return emb[..., None, None]

    def forward(self, x, t, condition, control=None):
        self.check(x, condition)
        self.check_control(control)
        features = self.pixel(torch.cat([x, condition.spatial["map"]], 1))
        return self.out(torch.tanh(features + self.embed(t, condition)))


class AbsentHasABias(Mixer):
    """The output of the text has a bias, also where all its tokens are masked."""

    def __init__(self, config):
        super().__init__(config)
        self.bias = nn.Parameter(torch.zeros(config.width))

    def attend(self, stream):
        return super().attend(stream) + self.bias


class SeesMasked(Mixer):
    """Averages masked tokens too, if at least one is not masked."""

    def attend(self, stream):
        if stream.mask is None or not stream.mask.any():
            return super().attend(stream)
        return super().attend(stream) + 0.1 * self.value(stream.tokens).tanh().mean(1)


class NanBackward(Mixer):
    """Weights of no token, 0 / 0, are replaced in the forward pass, but not in the backward one."""

    def weights(self, stream):
        if stream.mask is None:
            return super().weights(stream)
        weights = (self.key(stream.tokens) @ self.query).exp() * stream.mask
        return (weights / weights.sum(1, keepdim=True)).nan_to_num()


class DeafToTheLabel(Mixer):
    def embed(self, t, condition):
        emb = super().embed(t, condition)
        vector = condition.vectors["label"]
        return emb - self.label(vector)[..., None, None] + self.label(vector * 0)[..., None, None]


class TwiceTheChannels(Mixer):
    def forward(self, x, t, condition, control=None):
        prediction = super().forward(x, t, condition, control)
        return torch.cat([prediction, prediction], 1)


class MeanOfTheBatch(Mixer):
    def embed(self, t, condition):
        emb = super().embed(t, condition)
        return emb + emb.mean(0, keepdim=True)


class IgnoresTheUnknown(Mixer):
    def check(self, x, condition):
        pass


class IgnoresControls(Mixer):
    def check_control(self, control):
        pass


class IgnoresTheWrapper(UNet):
    def forward(self, x, t, condition, control=None):
        control = replace(control or Control(), self_attention=None)
        return super().forward(x, t, condition, control)


class IgnoresTheBranch(UNet):
    def forward(self, x, t, condition, control=None):
        control = replace(control or Control(), deep_branch=None)
        return super().forward(x, t, condition, control)


class Stateless(nn.Module):
    """Without weights, for the parts of an importer."""

    def __init__(self, config):
        super().__init__()
        self.config = config
