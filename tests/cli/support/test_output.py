"""Standard output carries results only, whatever else a process writes there."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, subprocess, sys
from latelier.cli.support.output import reserve_stdout, show_json

print("before")
with reserve_stdout():
    print("printed")
    os.write(1, b"written\\n")
    subprocess.run([sys.executable, "-c", "print('by a child')"])
    show_json([1])
print("after")
"""


def run(redirection="", program=PROGRAM, **environment):
    command = ["sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, program]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_other_output_goes_to_standard_error():
    done = run()
    assert done.returncode == 0, done.stderr
    assert done.stdout == "before\n[\n  1\n]\nafter\n"
    assert done.stderr == "printed\nwritten\nby a child\n"


def test_a_closed_standard_error_does_not_prevent_the_results():
    done = run("2>&-")
    assert "[\n  1\n]\n" in done.stdout


@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-"])
def test_a_closed_standard_output_causes_no_traceback(redirection):
    program = "from latelier.cli.support.output import *\nwith reserve_stdout(): show_json([1])"
    assert run(redirection, program).returncode == 0


def test_what_the_encoding_cannot_express_is_written_as_escapes():
    program = (
        "from latelier.cli.support.output import *\nwith reserve_stdout(): show_line('\u00e4.png')"
    )
    done = run(program=program, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, "\\xe4.png\n"), done.stderr
