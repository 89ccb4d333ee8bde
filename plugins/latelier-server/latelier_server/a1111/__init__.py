"""A part of the API of AUTOMATIC1111, below /sdapi/v1."""
