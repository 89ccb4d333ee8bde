"""FLUX.1 under the names of its published files."""

import math

import torch
from einops import rearrange
from torch import nn
from torch.nn.functional import gelu, rms_norm, scaled_dot_product_attention, silu

from latelier.contracts.errors import ConditionError


class Flux(nn.Module):
    """Predicts the flow: first text and image apart, with joint attention, then in one sequence."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        w = config.width
        self.img_in = nn.Linear(4 * config.channels, w)
        self.txt_in = nn.Linear(config.context, w)
        self.time_in, self.vector_in = Embedder(256, w), Embedder(config.pooled, w)
        if config.guidance:
            self.guidance_in = Embedder(256, w)
        self.double_blocks = nn.ModuleList(Double(config) for _ in range(config.double_blocks))
        self.single_blocks = nn.ModuleList(Single(config) for _ in range(config.single_blocks))
        self.final_layer = Last(w, 4 * config.channels)

    def forward(self, x, t, condition, control=None):
        self._check(x, condition, control)
        h, w = x.shape[2] // 2, x.shape[3] // 2
        img = self.img_in(rearrange(x, "b c (h p) (w q) -> b (h w) (c p q)", p=2, q=2))
        stream = condition.streams.get("t5")
        txt = img[:, :0] if stream is None else self.txt_in(stream.tokens)
        bias = None if stream is None else key_bias(stream, img)
        clip = condition.vectors.get("clip", x.new_zeros(len(x), self.config.pooled))
        vec = self.time_in(sinusoids(t, x.dtype)) + self.vector_in(clip)
        if self.config.guidance:
            scale = condition.vectors.get("distilled_guidance", x.new_zeros(len(x), 1))
            vec = vec + self.guidance_in(sinusoids(1000 * scale[:, 0], x.dtype))
        rotations = rotary(txt.shape[1], h, w, self.config.axes, x)
        for block in self.double_blocks:
            img, txt = block(img, txt, vec, rotations, bias)
        joint = torch.cat([txt, img], dim=1)
        for block in self.single_blocks:
            joint = block(joint, vec, rotations, bias)
        out = self.final_layer(joint[:, txt.shape[1] :], vec)
        return rearrange(out, "b (h w) (c p q) -> b c (h p) (w q)", h=h, p=2, q=2)

    def _check(self, x, condition, control):
        inputs = self.config.inputs()
        given = {
            "stream": {name: each.tokens for name, each in condition.streams.items()},
            "vector": condition.vectors,
            "spatial part": condition.spatial,
        }
        widths = {
            "stream": {name: slot.width for name, slot in inputs.streams.items()},
            "vector": inputs.vectors,
        }
        for slot, tensors in given.items():
            known = widths.get(slot, {})
            for name, tensor in tensors.items():
                if tensor.shape[-1] != known.get(name) or len(tensor) != len(x):
                    raise ConditionError(
                        f"the {slot} '{name}' is {tuple(tensor.shape)}; expected {len(x)} rows and "
                        f"one of the widths {known}"
                    )
        if control is not None and (control.residuals or control.perturbed_attention):
            raise ConditionError("this denoiser has no residuals and no perturbed attention")


class Embedder(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.in_layer, self.out_layer = nn.Linear(inputs, width), nn.Linear(width, width)

    def forward(self, x):
        return self.out_layer(silu(self.in_layer(x)))


class Modulation(nn.Module):
    def __init__(self, width, parts):
        super().__init__()
        self.parts, self.lin = parts, nn.Linear(width, parts * width)

    def forward(self, vec):
        return self.lin(silu(vec))[:, None].chunk(self.parts, dim=-1)


class Scale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return rms_norm(x.float(), self.scale.shape, self.scale.float(), 1e-6).to(x.dtype)


class QueryKeyNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.query_norm, self.key_norm = Scale(width), Scale(width)

    def forward(self, qkv, heads):
        q, k, v = rearrange(qkv, "b n (k h d) -> k b h n d", k=3, h=heads)
        return self.query_norm(q), self.key_norm(k), v


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm = QueryKeyNorm(width // heads)


class Double(nn.Module):
    def __init__(self, config):
        super().__init__()
        w, self.heads = config.width, config.heads
        for side in ("img", "txt"):
            mlp = nn.Sequential(nn.Linear(w, 4 * w), nn.GELU("tanh"), nn.Linear(4 * w, w))
            self.add_module(f"{side}_mod", Modulation(w, 6))
            self.add_module(f"{side}_attn", SelfAttention(w, config.heads))
            self.add_module(f"{side}_mlp", mlp)

    def forward(self, img, txt, vec, rotations, bias):
        image, text = self.img_mod(vec), self.txt_mod(vec)
        qkv = [
            attn.norm(attn.qkv(modulate(x, *parts[:2])), self.heads)
            for attn, x, parts in ((self.txt_attn, txt, text), (self.img_attn, img, image))
        ]
        joint = attend(*(torch.cat(pair, dim=2) for pair in zip(*qkv)), rotations, bias)
        txt_out, img_out = joint.split([txt.shape[1], img.shape[1]], dim=1)
        img = img + image[2] * self.img_attn.proj(img_out)
        txt = txt + text[2] * self.txt_attn.proj(txt_out)
        img = img + image[5] * self.img_mlp(modulate(img, *image[3:5]))
        txt = txt + text[5] * self.txt_mlp(modulate(txt, *text[3:5]))
        return img, txt


class Single(nn.Module):
    def __init__(self, config):
        super().__init__()
        w, self.heads = config.width, config.heads
        self.modulation, self.norm = Modulation(w, 3), QueryKeyNorm(w // config.heads)
        self.linear1, self.linear2 = nn.Linear(w, 7 * w), nn.Linear(5 * w, w)

    def forward(self, x, vec, rotations, bias):
        shift, scale, gate = self.modulation(vec)
        w = x.shape[-1]
        qkv, mlp = self.linear1(modulate(x, shift, scale)).split([3 * w, 4 * w], dim=-1)
        attended = attend(*self.norm(qkv, self.heads), rotations, bias)
        return x + gate * self.linear2(torch.cat([attended, gelu(mlp, approximate="tanh")], dim=-1))


class Last(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.linear = nn.Linear(width, out)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x, vec):
        shift, scale = self.adaLN_modulation(vec)[:, None].chunk(2, dim=-1)
        return self.linear(modulate(x, shift, scale))


def modulate(x, shift, scale):
    return nn.functional.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


def attend(q, k, v, rotations, bias):
    q, k = (rotate(each, *rotations) for each in (q, k))
    return rearrange(scaled_dot_product_attention(q, k, v, attn_mask=bias), "b h n d -> b n (h d)")


def rotate(x, cos, sin):
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2).to(x)


def rotary(tokens, h, w, axes, like):
    """Return cos and sin (tokens + h * w, head / 2); text is at the origin."""
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    image = torch.stack([torch.zeros(h * w), rows.flatten(), columns.flatten()], dim=1)
    places = torch.cat([torch.zeros(tokens, 3), image]).double()
    angles = [
        places[:, [axis]] / 10000 ** (torch.arange(0, size, 2, dtype=torch.float64) / size)
        for axis, size in enumerate(axes)
    ]
    joint = torch.cat(angles, dim=1).to(like.device)
    return joint.cos().float(), joint.sin().float()


def sinusoids(t, dtype):
    frequencies = torch.exp(-math.log(10000) * torch.arange(128, device=t.device) / 128)
    angles = t.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1).to(dtype)


def key_bias(stream, img):
    """Return the logarithm of each key's weight, (B, 1, 1, tokens); None where all are 1."""
    is_one = isinstance(stream.scale, float | int) and stream.scale == 1
    if stream.mask is None and is_one:
        return None
    mask = stream.tokens.new_ones(stream.tokens.shape[:2]) if stream.mask is None else stream.mask
    scale = torch.as_tensor(stream.scale, device=img.device).view(-1, 1)
    weights = torch.cat([mask * scale, img.new_ones(img.shape[:2])], dim=1)
    return weights.log().to(img.dtype)[:, None, None]
