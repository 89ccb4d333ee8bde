"""Weights that stay in main memory, and are on the device of a pipeline while they are used."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from functools import wraps
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

from latelier.checkpoints.component import tensors_of
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.messages import suggestion
from latelier.nn.compilation import find_blocks

MODES = ("components", "blocks")

_METHODS = (
    *("encode", "decode", "encode_tiled", "decode_tiled", "add_known", "add_known_tiled"),
    *("null", "known_pixels"),
)
"""Of first stages and conditioners, apart from their forward."""


class Offload:
    """How the weights of a pipeline are placed; its views and its runs share the one lock.

    One component is on the device at a time. With "blocks", the repeated blocks of the denoiser
    come one after the other, each while the one before it computes.
    """

    def __init__(self, mode: str, device: torch.device, dtype: torch.dtype) -> None:
        self._mode = mode
        self._place = device, dtype
        self._lock = Lock()
        self._is_placing = False

    def for_run(self) -> "Offload":
        """Return the same for one run, inside whose `placing` its previews may place too."""
        return copy(self)

    @contextmanager
    def placing(self, denoiser: nn.Module, others: Iterable[nn.Module]) -> Iterator[None]:
        """Place modules around their calls inside; at the end none of them is on the device.

        Inside the same of this run it changes nothing.

        Raises:
            InvalidInputError: another run is using the modules.
        """
        if self._is_placing:
            yield
            return
        if not self._lock.acquire(blocking=False):
            raise InvalidInputError(
                "another run uses this pipeline, and one whose weights are offloaded makes one run "
                "at a time: wait, or load it without `offload`"
            )
        with ExitStack() as stack:
            stack.callback(self._lock.release)
            self._is_placing = True
            stack.callback(setattr, self, "_is_placing", False)
            slot = Slot()
            stack.callback(slot.clear)
            blocks = find_blocks(denoiser) if self._mode == "blocks" else []
            stream = _make_stream(self._place[0])
            placed = [Placement(tensors_of(block), *self._place, stream) for block in blocks]
            of_blocks = {id(each) for block in blocks for each in tensors_of(block)}
            rest = [each for each in tensors_of(denoiser) if id(each) not in of_blocks]
            _use_around_calls(denoiser, Placement(rest, *self._place), slot, stack)
            for module in others:
                _use_around_calls(module, Placement(tensors_of(module), *self._place), slot, stack)
            _place_in_turn(blocks, placed, stack)
            yield


def make_offload(
    mode: str | None, device: torch.device, dtype: torch.dtype, *, compiles: bool
) -> Offload | None:
    """Return how weights are placed; None for a pipeline whose weights stay on the device.

    Raises:
        InvalidInputError: there is no such mode, or the denoiser is compiled.
    """
    if mode is None:
        return None
    if mode not in MODES:
        raise InvalidInputError.of_field(
            "offload", f"'{mode}' not found. {suggestion(mode, MODES)}"
        )
    if compiles:
        raise InvalidInputError.of_field(
            "offload", "compiled blocks stay on the device: choose `compile` or `offload`"
        )
    return Offload(mode, device, dtype)


class Placement:
    """Tensors that belong together, in main memory or on a device.

    Args:
        tensors: in main memory.
        device: where they are put.
        dtype: of those that are floating-point, there.
        stream: of CUDA, in which they are copied; None for that of the computation.
    """

    def __init__(
        self,
        tensors: Iterable[Tensor],
        device: torch.device,
        dtype: torch.dtype,
        stream: torch.cuda.Stream | None = None,
    ) -> None:
        self._hosts = [(each, each.data) for each in tensors]
        self._place = device, dtype
        self._stream = stream
        self._is_placed = False

    def put(self) -> None:
        """Place the tensors on the device."""
        if not self._is_placed:
            self._is_placed = True
            with torch.cuda.stream(self._stream):
                for tensor, host in self._hosts:
                    tensor.data = move(host, *self._place)

    def wait(self) -> None:
        """Let the computation wait until the tensors are copied."""
        if self._stream is not None:
            computing = torch.cuda.current_stream(self._place[0])
            computing.wait_stream(self._stream)
            for tensor, _ in self._hosts:
                tensor.data.record_stream(computing)

    def bring(self, value: Any) -> Any:
        """Return a tensor on the device, and anything else as it is."""
        return move(value, *self._place) if isinstance(value, Tensor) else value

    def remove(self) -> None:
        """Take the tensors off the device."""
        for tensor, host in self._hosts:
            tensor.data = host
        self._is_placed = False


class Slot:
    """The one placement that is on the device."""

    def __init__(self) -> None:
        self._used: Placement | None = None

    def use(self, placement: Placement) -> None:
        """Put a placement on the device in place of the one before."""
        if self._used is not placement:
            self.clear()
            self._used = placement
            placement.put()

    def clear(self) -> None:
        """Leave nothing on the device."""
        if self._used is not None:
            self._used.remove()
            self._used = None


def move(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return a tensor on a device, in a precision if it is floating-point."""
    wanted = dtype if tensor.is_floating_point() else tensor.dtype
    return tensor.to(device, wanted, non_blocking=True)


def _make_stream(device: torch.device) -> torch.cuda.Stream | None:
    """Return a stream for copies that run while another computes; None where there is none."""
    if device.type != "cuda":
        return None
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _use_around_calls(
    module: nn.Module, placement: Placement, slot: Slot, stack: ExitStack
) -> None:
    """Place a component before any part of it is called, while the stack is open."""

    def use(*_: Any) -> None:
        slot.use(placement)

    for part in module.modules():
        stack.callback(part.register_forward_pre_hook(use).remove)
    for name in _METHODS:
        if hasattr(module, name):
            setattr(module, name, _call_placed(getattr(module, name), placement, slot))
            stack.callback(delattr, module, name)


def _place_in_turn(blocks: list[nn.Module], placed: list[Placement], stack: ExitStack) -> None:
    """Place each block around its call, and the next one while a device computes the call."""
    for block, here, following in zip(blocks, placed, [*placed[1:], *placed[:1]]):

        def before(*_: Any, here: Placement = here) -> None:
            here.put()
            here.wait()

        def after(*_: Any, here: Placement = here, following: Placement = following) -> None:
            following.put()
            here.remove()

        stack.callback(here.remove)
        stack.callback(block.register_forward_pre_hook(before).remove)
        stack.callback(block.register_forward_hook(after, always_call=True).remove)


def _call_placed(
    method: Callable[..., Any], placement: Placement, slot: Slot
) -> Callable[..., Any]:
    """Return a method that places its component, and the tensors that it gets, before a call.

    Who calls it may not know the device: the weights were in main memory.
    """

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        slot.use(placement)
        return method(*(placement.bring(each) for each in args), **kwargs)

    return call
