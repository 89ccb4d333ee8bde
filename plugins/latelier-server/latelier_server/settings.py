"""What a server is told when it starts."""

from pathlib import Path

from latelier.contracts.frozen import Frozen
from pydantic import Field

MIB = 2**20
GIB = 2**30


class Limits(Frozen):
    """The most that one client may ask for."""

    body: int = Field(default=32 * MIB, ge=1, description="bytes of the body of a request")
    body_seconds: float = Field(
        default=30, gt=0, description="seconds in which a body has to arrive"
    )
    pictures: int = Field(default=10, ge=1, description="pictures of a request")
    steps: int = Field(default=200, ge=1, description="sampling steps of a request")
    pixels: int = Field(default=2**22, ge=1, description="pixels of a picture")
    seconds: float = Field(
        default=600, gt=0, description="seconds after which a job ends unfinished"
    )
    rate: int | None = Field(
        default=None, ge=1, description="picture steps that a client may ask for in a minute"
    )


class Settings(Frozen):
    """A server: its models, its engine, who may call, and how much they may ask for.

    Without `keys` everybody who reaches the server may call it.
    """

    models: tuple[str, ...] = Field(
        default=(), description="names or folders, the default first; all local models if empty"
    )
    device: str = Field(default="auto", description="of the models")
    dtype: str = Field(default="auto", description="precision of the models")
    memory: int | None = Field(
        default=None, ge=1, description="bytes of all loaded models together"
    )
    rows: int = Field(
        default=32, ge=1, description="most rows of a call; see `latelier.engine.Engine`"
    )
    active: int = Field(default=16, ge=1, description="most jobs of a model that run at a time")
    queue: int = Field(default=256, ge=1, description="most jobs of a model that wait")
    exact: bool = Field(default=False, description="same bits whatever runs beside a job")
    keys: tuple[str, ...] = Field(default=(), description="API keys, one for each client")
    hosts: tuple[str, ...] = Field(
        default=(), description="further names under which it is reached"
    )
    origins: tuple[str, ...] = Field(
        default=(), description="origins of web pages that may call it"
    )
    gallery: Path | None = Field(
        default=None, description="folder of finished pictures; None keeps none"
    )
    limits: Limits = Limits()
