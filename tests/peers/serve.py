"""Calls functions of this folder, in a process where the stub of torchvision is found.

Each request on stdin is a pickled (name, arguments), "module:function" and its keywords; each reply
on stdout (status, value), "done" and what it returned, "missing" and a package that is not
installed, or "failed" and a traceback.
"""

import os
import pickle
import sys
import traceback
from importlib import import_module


def serve(requests, replies):
    while True:
        try:
            name, arguments = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(answer(name, arguments), replies)
        replies.flush()


def answer(name, arguments):
    module, _, function = name.partition(":")
    try:
        return "done", getattr(import_module(module), function)(**arguments)
    except ModuleNotFoundError as error:
        return "missing", error.name
    except Exception:
        return "failed", traceback.format_exc()


if __name__ == "__main__":
    own_stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the peers print does not mix with the replies
    serve(sys.stdin.buffer, own_stdout)
