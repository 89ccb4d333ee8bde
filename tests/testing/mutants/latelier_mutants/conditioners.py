"""Three faultless conditioners, and faulty ones made of them."""

import random
import socket
import subprocess
import time
from pathlib import Path
from threading import get_ident

import numpy as np
import torch
from PIL import ImageColor
from torch import nn

from latelier import Conditioner, ConditionPart, Stream
from latelier.contracts.errors import InvalidInputError
from latelier_mutants import inputs

MOST = 4


def rgb(color):
    return [level / 255 for level in ImageColor.getrgb(color)]


class Beads(Conditioner):
    """Faultless: a token for each colour, to which the mean of all is added."""

    Input = inputs.Beads

    def __init__(self, config):
        super().__init__(config)
        self.embed = nn.Linear(3, config.width)
        self.nothing = nn.Parameter(torch.zeros(config.width))

    def length(self, values):
        return max((len(value.colors) for value in values), default=1)

    def prepare(self, values, geometry):
        colors = torch.zeros(len(values), self.length(values), 3)
        mask = torch.zeros(colors.shape[:2], dtype=torch.bool)
        for row, value in enumerate(values):
            count = len(value.colors)
            colors[row, :count] = torch.tensor([rgb(each) for each in value.colors])
            mask[row, :count] = True
        return {"colors": colors, "mask": mask}

    def tokens(self, batch):
        x = self.embed(batch["colors"].to(self.embed.weight.dtype))
        counts = batch["mask"][..., None]
        return x + (x * counts).sum(1, keepdim=True) / counts.sum(1, keepdim=True)

    def forward(self, batch, geometry):
        return ConditionPart(Stream(self.tokens(batch), batch["mask"]))

    def null(self, rows, geometry):
        return ConditionPart(Stream(self.nothing.expand(rows, 1, -1)))


class Tile(Conditioner):
    """Faultless: a token of a colour and a box, which acts where the box is."""

    Input = inputs.Tile

    def __init__(self, config):
        super().__init__(config)
        self.embed = nn.Linear(7, config.width)
        self.nothing = nn.Parameter(torch.zeros(config.width))

    def corners(self, box):
        return box.x0, box.y0, box.x1, box.y1

    def area(self, box):
        return box.x0, box.y0, box.x1, box.y1

    def prepare(self, values, geometry):
        rows = [[*rgb(value.color), *self.corners(value.box)] for value in values]
        areas = [list(self.area(value.box)) for value in values]
        return {
            "rows": torch.tensor(rows).view(len(values), 7),
            "areas": torch.tensor(areas).view(len(values), 4),
        }

    def forward(self, batch, geometry):
        weight = self.embed.weight
        tokens = self.embed(batch["rows"].to(weight.dtype))[:, None]
        h, w = geometry.latent_size
        y = (torch.arange(h, device=weight.device) + 0.5)[:, None] / h
        x = (torch.arange(w, device=weight.device) + 0.5) / w
        x0, y0, x1, y1 = (each[:, None, None] for each in batch["areas"].unbind(1))
        region = (x0 <= x) & (x < x1) & (y0 <= y) & (y < y1)
        return ConditionPart(Stream(tokens, region=region[:, None].to(weight.dtype)))

    def null(self, rows, geometry):
        h, w = geometry.latent_size
        region = self.nothing.new_ones(rows, 1, h, w)
        return ConditionPart(Stream(self.nothing.expand(rows, 1, -1), region=region))


class Plane(Conditioner):
    """Faultless: a map of one colour, which half covers the picture."""

    Input = inputs.Plane

    def __init__(self, config):
        super().__init__(config)
        self.scale = nn.Parameter(torch.ones(config.channels))

    def size(self, geometry):
        return geometry.latent_size

    def prepare(self, values, geometry):
        return {"color": torch.tensor([rgb(value.color) for value in values]).view(-1, 3)}

    def forward(self, batch, geometry):
        color = batch["color"].to(self.scale.dtype) * self.scale
        return ConditionPart(spatial=color[..., None, None].expand(-1, -1, *self.size(geometry)))

    def null(self, rows, geometry):
        return ConditionPart(spatial=self.scale.new_zeros(rows, 3, *self.size(geometry)))

    def known_pixels(self, batch, geometry):
        color = torch.cat([batch["color"], torch.ones(len(batch["color"]), 1)], dim=1)
        return (0.5 * color)[..., None, None].expand(-1, -1, *geometry.size)


# ------------------------------------------------------------------- shapes, widths, masks


class WrongWidth(Beads):
    def __init__(self, config):
        super().__init__(config)
        self.embed = nn.Linear(3, config.width + 1)
        self.nothing = nn.Parameter(torch.zeros(config.width + 1))


class OutputSize(Plane):
    def size(self, geometry):
        return geometry.size


class StraightAlpha(Plane):
    def known_pixels(self, batch, geometry):
        known = super().known_pixels(batch, geometry)
        return torch.cat([2 * known[:, :3], known[:, 3:]], dim=1)


class DropsDoubles(Beads):
    def prepare(self, values, geometry):
        return super().prepare(list(dict.fromkeys(values)), geometry)


class BatchSecond(Beads):
    def prepare(self, values, geometry):
        batch = super().prepare(values, geometry)
        return {**batch, "colors": batch["colors"].transpose(0, 1)}

    def forward(self, batch, geometry):
        return super().forward({**batch, "colors": batch["colors"].transpose(0, 1)}, geometry)


class Constant(Beads):
    def tokens(self, batch):
        return super().tokens(batch) * 0 + 1


class FixedLength(Beads):
    def length(self, values):
        return MOST


class IgnoresMask(FixedLength):
    def tokens(self, batch):
        x = self.embed(batch["colors"].to(self.embed.weight.dtype))
        return x + x.mean(1, keepdim=True)


class InvertsMask(FixedLength):
    def tokens(self, batch):
        return self.embed(batch["colors"].to(self.embed.weight.dtype))

    def forward(self, batch, geometry):
        return ConditionPart(Stream(self.tokens(batch), ~batch["mask"]))


class NotANumber(Beads):
    def tokens(self, batch):
        return super().tokens(batch).masked_fill(~batch["mask"][..., None], torch.nan)


class NormalisesOverBatch(Beads):
    def tokens(self, batch):
        x = super().tokens(batch)
        return x / (x * batch["mask"][..., None]).abs().amax()


class PreparesNames(Beads):
    def prepare(self, values, geometry):
        return {**super().prepare(values, geometry), "names": [value.colors for value in values]}


# --------------------------------------------------------------------------------- null


class NullOfTheLast(Beads):
    def __init__(self, config):
        super().__init__(config)
        self.last = 0.0

    def forward(self, batch, geometry):
        part = super().forward(batch, geometry)
        self.last = part.stream.tokens.detach().mean()
        return part

    def null(self, rows, geometry):
        return ConditionPart(Stream(self.nothing.expand(rows, 1, -1) + self.last))


class NullOfAnotherSlot(Beads):
    def null(self, rows, geometry):
        return ConditionPart(vector=self.nothing.expand(rows, -1))


class NullThatCounts(Beads):
    def null(self, rows, geometry):
        numbers = torch.arange(1, rows + 1, device=self.nothing.device)[:, None, None]
        return ConditionPart(Stream(self.nothing.expand(rows, 1, -1) * numbers))


# ------------------------------------------------------------------ state, bits, random numbers


class ScalesItsCache(Beads):
    def __init__(self, config):
        super().__init__(config)
        self.cache = {}

    def tokens(self, batch):
        key = None if batch["colors"].is_meta else batch["colors"].numpy().tobytes()
        if key not in self.cache:
            self.cache[key] = super().tokens(batch)
        return self.cache[key].mul_(1.5).clone()


class ReusesItsOutput(Beads):
    """The mean of the colours, in a tensor that the next call of the same shape overwrites."""

    def __init__(self, config):
        super().__init__(config)
        self.outputs = {}

    def kept(self, tokens):
        key = tokens.shape, tokens.dtype, tokens.device, torch.is_grad_enabled(), get_ident()
        self.outputs.setdefault(key, torch.empty_like(tokens).detach())
        return self.outputs[key].copy_(tokens)

    def forward(self, batch, geometry):
        tokens, mask = self.tokens(batch), batch["mask"][..., None]
        return ConditionPart(
            Stream(self.kept((tokens * mask).sum(1, keepdim=True) / mask.sum(1, True)))
        )

    def null(self, rows, geometry):
        return ConditionPart(Stream(self.kept(self.nothing.expand(rows, 1, -1))))


class SharesAScratch(Beads):
    def tokens(self, batch):
        self.scratch = batch
        time.sleep(0.005)
        return super().tokens(self.scratch)

    def forward(self, batch, geometry):
        tokens = self.tokens(batch)
        return ConditionPart(Stream(tokens, self.scratch["mask"]))


class DiffersEachTime(Beads):
    def tokens(self, batch):
        x = super().tokens(batch)
        own = torch.Generator()
        own.seed()
        return x + 1e-6 * torch.randn(x.shape, generator=own).to(x)


class UsesGlobalState(Beads):
    def tokens(self, batch):
        x = super().tokens(batch)
        return x + 1e-7 * torch.randn_like(x)


class DrawsInPrepare(Beads):
    def prepare(self, values, geometry):
        batch = super().prepare(values, geometry)
        noise = np.random.default_rng().normal(size=batch["colors"].shape)
        return {**batch, "colors": batch["colors"] + 1e-6 * torch.tensor(noise).float()}


class AugmentsByGlobalState(Beads):
    def augment(self, value, rng):
        return value.model_copy(update={"colors": tuple(random.sample(value.colors, 1))})


# ------------------------------------------------------------------- devices, weights, gradients


class NullOnCpu(Beads):
    def null(self, rows, geometry):
        zeros = torch.zeros(rows, 1, len(self.nothing), dtype=self.nothing.dtype)
        return ConditionPart(Stream(zeros if self.nothing.is_meta else zeros + self.nothing))


class NullInFloat32(Beads):
    def null(self, rows, geometry):
        return ConditionPart(Stream(self.nothing.float().expand(rows, 1, -1)))


class PlainAttribute(Beads):
    def __init__(self, config):
        super().__init__(config)
        self.offset = torch.randn(config.width)

    def tokens(self, batch):
        x = super().tokens(batch)
        return x + self.offset.to(x)


class WithoutGradient(Beads):
    def tokens(self, batch):
        return super().tokens(batch).detach()


class PreparesWithWeights(Beads):
    def prepare(self, values, geometry):
        if not self.embed.weight.isfinite().all():
            raise InvalidInputError("colors: the weights are damaged")
        return super().prepare(values, geometry)


# ------------------------------------------------------------------------------ the machine


class WritesHome(Beads):
    def prepare(self, values, geometry):
        Path("~/.latelier-mutant").expanduser().write_text("cache")
        return super().prepare(values, geometry)


class OpensSocket(Beads):
    def prepare(self, values, geometry):
        socket.socket().close()
        return super().prepare(values, geometry)


class StartsProcess(Beads):
    def prepare(self, values, geometry):
        subprocess.run(["true"], check=True)
        return super().prepare(values, geometry)


# ------------------------------------------------------------------------------ inputs, boxes


class CutsOff(Beads):
    Input = inputs.EndlessBeads

    def prepare(self, values, geometry):
        cut = [value.model_copy(update={"colors": value.colors[:MOST]}) for value in values]
        return super().prepare(cut, geometry)


class NakedError(Beads):
    Input = inputs.EndlessBeads

    def prepare(self, values, geometry):
        if any(len(value.colors) > MOST for value in values):
            raise ValueError("too many colors")
        return super().prepare(values, geometry)


class LaxInput(Beads):
    Input = inputs.LaxBeads


class MuteInput(Beads):
    Input = inputs.MuteBeads


class ForgetfulInput(Beads):
    Input = inputs.ForgetfulBeads


class OpensFiles(Beads):
    Input = inputs.OpeningBeads


class TellsOfFiles(Beads):
    Input = inputs.TellingBeads


class BoxAsSize(Tile):
    def area(self, box):
        return box.x0, box.y0, min(box.x0 + box.x1, 1), min(box.y0 + box.y1, 1)


class CornersAsSize(Tile):
    def corners(self, box):
        return box.x0, box.y0, min(box.x0 + box.x1, 1), min(box.y0 + box.y1, 1)

    def forward(self, batch, geometry):
        tokens = super().forward(batch, geometry).stream.tokens
        return ConditionPart(Stream(tokens))

    def null(self, rows, geometry):
        return ConditionPart(Stream(self.nothing.expand(rows, 1, -1)))


class WindowDims(Beads):
    def crop(self, batch, box):
        return {**batch, "colors": batch["colors"] * 0.5}
