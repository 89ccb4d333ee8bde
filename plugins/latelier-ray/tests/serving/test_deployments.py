"""What a user is told of a replica that does not start."""

from latelier_ray.serving.deployments import _find_reason

MESSAGE = """The deployment failed to start 1 times in a row. This may be due to a problem. Error:
Traceback (most recent call last):
  File "replica.py", line 3, in __init__
    raise ModelFileError(path)
latelier.contracts.errors.ModelFileError: m/denoiser.safetensors: missing

Deploying app 'latelier-m' failed.
"""


def test_the_reason_is_the_error_of_the_worker():
    assert _find_reason(MESSAGE) == "m/denoiser.safetensors: missing"
    foreign = MESSAGE.replace("latelier.contracts.errors.ModelFileError", "torch.OutOfMemoryError")
    assert _find_reason(foreign) == "torch.OutOfMemoryError: m/denoiser.safetensors: missing"


def test_without_an_error_it_is_the_last_line():
    assert _find_reason("It died.\nNo more is known.\n") == "No more is known."
    assert _find_reason("") == "unknown"
