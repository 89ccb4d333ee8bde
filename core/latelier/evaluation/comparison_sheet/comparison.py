"""Pairs of pictures of two sides, each shown left and right equally often."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from latelier.evaluation.comparison_sheet.sides import Side


@dataclass(frozen=True, eq=False)
class Comparison:
    """Pairs of pictures of the same prompts and seeds.

    Attributes:
        sides: the two that are compared.
        prompts: of the pairs.
        seeds: of the pairs.
        question: that a person answers for each pair.
        order_seed: decides which side is on the left of each pair.
    """

    sides: tuple[Side, Side]
    prompts: Sequence[str]
    seeds: Sequence[int]
    question: str
    order_seed: int

    @cached_property
    def left(self) -> list[int]:
        """Number of the side, 0 or 1, that is on the left of each pair: each in half of them."""
        order = [k % 2 for k in range(len(self.prompts))]
        random.Random(self.order_seed).shuffle(order)
        return order

    @cached_property
    def id(self) -> str:
        """The hash of names, question, order, prompts and pictures: votes belong to it."""
        digest = hashlib.sha256(self.question.encode())
        for k, prompt in enumerate(self.prompts):
            digest.update(f"{self.left[k]}{self.seeds[k]}{prompt}\0".encode())
        for side in self.sides:
            digest.update(f"{side.name}\0".encode())
            for picture in side.pictures:
                digest.update(picture.tobytes())
        return digest.hexdigest()[:16]
