"""The thread that owns the device: it does the work of all runs."""

import logging

import torch

from latelier.engine.batcher import Batcher
from latelier.engine.evaluation import evaluate

_log = logging.getLogger(__name__)


def serve(batcher: Batcher) -> None:
    """Work until the batcher is closed. If this fails, close it, so that no run waits."""
    torch.get_num_threads()  # only this call applies torch.set_num_threads to a new thread
    try:
        with torch.no_grad():
            while _serve_next(batcher):
                pass
    except BaseException as error:
        _log.exception("the engine has stopped")
        batcher.close(f"the engine has stopped: {error!r}")


def _serve_next(batcher: Batcher) -> bool:
    """Do the next work. Return False if there is none because the batcher is closed."""
    group = batcher.take()
    try:
        outcomes = evaluate([each.work for each in group]) if group else []
    except BaseException as error:
        batcher.deliver(group, [error] * len(group))
        raise
    batcher.deliver(group, outcomes)
    return bool(group)
