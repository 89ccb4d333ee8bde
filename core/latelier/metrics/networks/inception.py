"""The Inception-v3 of FID (arXiv:1706.08500): the network of 2015-12-05, not torchvision's.

It differs from arXiv:1512.00567 in the pools of its blocks, and has 1008 classes. Modules have the
names of the published weights.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d, relu

WIDTH = 2048
CLASSES = 1008

SIDE = 299
"""Height and width of its pictures in pixels."""

_EPSILON = 1e-3
Kernel = int | tuple[int, int]


class Convolution(nn.Module):
    """A convolution, batch norm and ReLU, (B, C, h, w) -> (B, C', h', w')."""

    def __init__(self, before: int, after: int, kernel: Kernel, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, padding=0, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=_EPSILON)

    def forward(self, h: Tensor) -> Tensor:
        return relu(self.bn(self.conv(h)))


class SameConvolution(Convolution):
    """A convolution that keeps height and width."""

    def __init__(self, before: int, after: int, kernel: Kernel) -> None:
        super().__init__(before, after, kernel)
        height, width = self.conv.kernel_size
        self.conv.padding = (height // 2, width // 2)


class BlockA(nn.Module):
    """Mixed_5b, 5c and 5d: (B, C, 35, 35) -> (B, 224 + pool, 35, 35)."""

    def __init__(self, before: int, pool: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(before, 64, 1)
        self.branch5x5_1 = Convolution(before, 48, 1)
        self.branch5x5_2 = SameConvolution(48, 64, 5)
        self.branch3x3dbl_1 = Convolution(before, 64, 1)
        self.branch3x3dbl_2 = SameConvolution(64, 96, 3)
        self.branch3x3dbl_3 = SameConvolution(96, 96, 3)
        self.branch_pool = Convolution(before, pool, 1)

    def forward(self, h: Tensor) -> Tensor:
        branches = (
            self.branch1x1(h),
            self.branch5x5_2(self.branch5x5_1(h)),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(h))),
            self.branch_pool(_average(h)),
        )
        return torch.cat(branches, 1)


class BlockB(nn.Module):
    """Mixed_6a: (B, 288, 35, 35) -> (B, 768, 17, 17)."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3 = Convolution(288, 384, 3, stride=2)
        self.branch3x3dbl_1 = Convolution(288, 64, 1)
        self.branch3x3dbl_2 = SameConvolution(64, 96, 3)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, stride=2)

    def forward(self, h: Tensor) -> Tensor:
        branches = (
            self.branch3x3(h),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(h))),
            max_pool2d(h, 3, 2),
        )
        return torch.cat(branches, 1)


class BlockC(nn.Module):
    """Mixed_6b to 6e: (B, 768, 17, 17) -> (B, 768, 17, 17)."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(768, 192, 1)
        self.branch7x7_1 = Convolution(768, inner, 1)
        self.branch7x7_2 = SameConvolution(inner, inner, (1, 7))
        self.branch7x7_3 = SameConvolution(inner, 192, (7, 1))
        self.branch7x7dbl_1 = Convolution(768, inner, 1)
        self.branch7x7dbl_2 = SameConvolution(inner, inner, (7, 1))
        self.branch7x7dbl_3 = SameConvolution(inner, inner, (1, 7))
        self.branch7x7dbl_4 = SameConvolution(inner, inner, (7, 1))
        self.branch7x7dbl_5 = SameConvolution(inner, 192, (1, 7))
        self.branch_pool = Convolution(768, 192, 1)

    def forward(self, h: Tensor) -> Tensor:
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(h)))
        branches = (
            self.branch1x1(h),
            self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(h))),
            self.branch7x7dbl_5(self.branch7x7dbl_4(double)),
            self.branch_pool(_average(h)),
        )
        return torch.cat(branches, 1)


class BlockD(nn.Module):
    """Mixed_7a: (B, 768, 17, 17) -> (B, 1280, 8, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1 = Convolution(768, 192, 1)
        self.branch3x3_2 = Convolution(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Convolution(768, 192, 1)
        self.branch7x7x3_2 = SameConvolution(192, 192, (1, 7))
        self.branch7x7x3_3 = SameConvolution(192, 192, (7, 1))
        self.branch7x7x3_4 = Convolution(192, 192, 3, stride=2)

    def forward(self, h: Tensor) -> Tensor:
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(h)))
        branches = (
            self.branch3x3_2(self.branch3x3_1(h)),
            self.branch7x7x3_4(seven),
            max_pool2d(h, 3, 2),
        )
        return torch.cat(branches, 1)


class BlockE(nn.Module):
    """Mixed_7b: (B, C, 8, 8) -> (B, 2048, 8, 8)."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(before, 320, 1)
        self.branch3x3_1 = Convolution(before, 384, 1)
        self.branch3x3_2a = SameConvolution(384, 384, (1, 3))
        self.branch3x3_2b = SameConvolution(384, 384, (3, 1))
        self.branch3x3dbl_1 = Convolution(before, 448, 1)
        self.branch3x3dbl_2 = SameConvolution(448, 384, 3)
        self.branch3x3dbl_3a = SameConvolution(384, 384, (1, 3))
        self.branch3x3dbl_3b = SameConvolution(384, 384, (3, 1))
        self.branch_pool = Convolution(before, 192, 1)

    def forward(self, h: Tensor) -> Tensor:
        single = self.branch3x3_1(h)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(h))
        branches = (
            self.branch1x1(h),
            self.branch3x3_2a(single),
            self.branch3x3_2b(single),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(self.pool(h)),
        )
        return torch.cat(branches, 1)

    def pool(self, h: Tensor) -> Tensor:
        """Return the mean of 3 x 3 positions."""
        return _average(h)


class BlockEMax(BlockE):
    """Mixed_7c: its pool takes the greatest of 3 x 3 positions, as published by mistake."""

    def pool(self, h: Tensor) -> Tensor:
        """Return the greatest of 3 x 3 positions."""
        return max_pool2d(h, 3, 1, 1)


class Inception(nn.Module):
    """Features and logits of pictures of 299 x 299 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = SameConvolution(32, 64, 3)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b = BlockA(192, pool=32)
        self.Mixed_5c = BlockA(256, pool=64)
        self.Mixed_5d = BlockA(288, pool=64)
        self.Mixed_6a = BlockB()
        self.Mixed_6b = BlockC(128)
        self.Mixed_6c = BlockC(160)
        self.Mixed_6d = BlockC(160)
        self.Mixed_6e = BlockC(192)
        self.Mixed_7a = BlockD()
        self.Mixed_7b = BlockE(1280)
        self.Mixed_7c = BlockEMax(2048)
        self.fc = nn.Linear(WIDTH, CLASSES)

    def forward(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, 2048) of the last pool, and logits (B, 1008) without biases.

        The Inception Score is that of logits without biases (arXiv:1606.03498, its code).

        Args:
            levels: (B, 3, 299, 299), 0..255.
        """
        h = (levels - 128) / 128
        h = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(h)))
        h = max_pool2d(h, 3, 2)
        h = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(h))
        h = max_pool2d(h, 3, 2)
        h = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(h)))
        h = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(h)))
        h = self.Mixed_6e(self.Mixed_6d(h))
        h = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(h)))
        features = h.mean((2, 3))
        return features, features @ self.fc.weight.T


def _average(h: Tensor) -> Tensor:
    """Return the mean of 3 x 3 positions; positions beyond the border do not count."""
    return avg_pool2d(h, 3, 1, 1, count_include_pad=False)
