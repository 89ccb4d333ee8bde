"""Compiling the repeated blocks of a network for inference, with `torch.compile`.

A network is a few kinds of blocks, many times over. The blocks of one kind, which differ in the
values of their weights alone, share their code. It is compiled for the sizes of the first call, and
when others come, for all others. A batch of one row is compiled apart.
"""

import logging
import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import nn

from latelier.io.user_folders import COMPILED, cache_folder

_log = logging.getLogger(__name__)


def compile_blocks(network: nn.Module) -> None:
    """Let a network compile its repeated blocks when they are called; so do copies of it.

    Hooks on the layers within a block, and changes to what a layer computes, have no effect later.
    """
    shared: dict[Hashable, CompiledForward] = {}
    outcome = Outcome()
    blocks = find_blocks(network)
    if not blocks:
        _log.warning("the denoiser runs without being compiled: no block in it is repeated")
    for block in blocks:
        kind = type(block), tuple((name, each.shape) for name, each in block.state_dict().items())
        forward = shared.setdefault(kind, CompiledForward(type(block).forward, outcome))
        block.forward = MethodType(forward, block)  # a copy binds it to its own block
    network.register_forward_pre_hook(_begin_step)
    network.register_forward_hook(_copy_output)


def is_compiled(network: nn.Module) -> bool:
    """Return whether a network compiles its blocks, and none of them has failed to compile."""
    functions = (getattr(each.forward, "__func__", None) for each in network.modules())
    found = [each for each in functions if isinstance(each, CompiledForward)]
    return bool(found) and not found[0].outcome.has_failed


def find_blocks(network: nn.Module) -> list[nn.Module]:
    """Return the repeated blocks of a network: outermost modules of a class that occurs again.

    A block has several layers, and no list of further blocks in it. torch's own modules are none.
    """
    counts = Counter(type(each) for each in network.modules())

    def find(module: nn.Module) -> Iterator[nn.Module]:
        for child in module.children():
            is_block = counts[type(child)] > 1 and _can_be_block(child)
            yield from [child] if is_block else find(child)

    return list(find(network))


@dataclass
class Outcome:
    """Whether a block of a network failed to compile: all of them then run as they are."""

    has_failed: bool = False


class CompiledForward:
    """The forward of the blocks of one kind."""

    def __init__(self, forward: Callable[..., Any], outcome: Outcome) -> None:
        self._forward = forward
        self._first: list[torch.Size] | None = None  # sizes of the tensors of the first call
        self._compiled: dict[bool, Callable[..., Any]] = {}  # for these, and for others
        self.outcome = outcome

    def __call__(self, block: nn.Module, *args: Any, **kwargs: Any) -> Any:
        """Return what the block computes."""
        if self.outcome.has_failed or torch.is_grad_enabled():
            return self._forward(block, *args, **kwargs)
        sizes = [each.shape for each in args if isinstance(each, torch.Tensor)]
        self._first = self._first or sizes
        is_first = sizes == self._first
        if is_first not in self._compiled:
            self._compiled[is_first] = _compile(self._forward, None if is_first else True)
        from torch._dynamo.exc import TorchDynamoException

        try:
            return self._compiled[is_first](block, *args, **kwargs)
        except TorchDynamoException as error:
            self.outcome.has_failed = True
            reason = str(getattr(error, "inner_exception", error)).strip().partition("\n")[0]
            _log.warning("the denoiser runs without being compiled: %s", reason)
            return self._forward(block, *args, **kwargs)


def _compile(forward: Callable[..., Any], dynamic: bool | None) -> Callable[..., Any]:
    """Return the function, which is compiled when it is called and kept for later processes.

    dynamic: for all sizes; None: for those of the call.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder(COMPILED)))
    options: Any = {"guard_filter_fn": _select_guards, "triton.cudagraphs": True}  # if on a GPU
    return torch.compile(_copy_function(forward), dynamic=dynamic, options=options)


def _copy_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copy with code of its own: torch keeps what it compiles, up to a limit, by code."""
    if not isinstance(function, FunctionType):
        return function
    code = function.__code__.replace()
    copied = FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied


def _select_guards(guards: Sequence[Any]) -> list[bool]:
    """Return which guards to check at each call: not those of globals and hooks, most of them."""
    constant = {"EMPTY_NN_MODULE_HOOKS_DICT", "NOT_PRESENT_IN_GENERIC_DICT"}
    return [not each.is_global and each.guard_type not in constant for each in guards]


def _can_be_block(module: nn.Module) -> bool:
    children = list(module.children())
    is_own = not type(module).__module__.startswith("torch.")
    is_list = isinstance(module, nn.ModuleList | nn.ModuleDict | nn.Sequential)
    has_list = any(isinstance(each, nn.ModuleList) and len(each) > 1 for each in children)
    return is_own and not is_list and not has_list and len(children) > 1


def _begin_step(_network: nn.Module, _args: Any) -> None:
    """Tell CUDA graphs that the memory of the last call may be used again."""
    torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]


def _copy_output(_network: nn.Module, _args: Any, output: torch.Tensor) -> torch.Tensor:
    """Return an output outside of the memory of CUDA graphs."""
    return output.clone()
