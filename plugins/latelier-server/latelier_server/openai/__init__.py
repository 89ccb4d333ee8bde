"""The images API of OpenAI, below /v1."""
