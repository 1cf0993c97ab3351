"""Which version of a model a request goes to: a small file that the pool writes and the edge reads.

The pool process replaces it at once; Ray Serve's proxy looks at its date for every request. So a
model changes version, or leaves service, between two requests and never in the middle of one.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from zhengwu.serving.spec import Frozen

VARIABLE = "ZW_POOL_ROUTES"
"""Environment variable of the proxy: where the file is."""


class Route(Frozen):
    """Where the requests of one model go."""

    application: str | None = None
    """The Ray Serve application; None while the model is out of service."""
    asleep: bool = False
    """It has no replica now, on purpose, and the next request brings one up."""
    may_sleep: bool = False
    """Its health is known here: asking a replica would keep it, or wake it up."""
    healthy: bool = True


class Routes(Frozen):
    """Every route by model."""

    models: dict[str, Route] = Field(default_factory=dict)


def write_routes(path: Path, models: Mapping[str, Route]) -> None:
    """Replace the file at once, so that a reader never sees half of it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(Routes(models=dict(models)).model_dump_json(), encoding="utf-8")
    fresh.replace(path)


class RouteTable:
    """The file as it is now. Reading costs one `stat` while nothing changes."""

    def __init__(self, path: Path | None) -> None:
        """None, or a file that is not there, is a table without routes."""
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._models: Mapping[str, Route] = {}

    def get(self, model: str) -> Route | None:
        """The route of `model`; None when there is none."""
        self._refresh()
        return self._models.get(model)

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return
        seen = (found.st_mtime_ns, found.st_ino)
        if seen != self._seen:
            self._models = Routes.model_validate_json(self._path.read_bytes()).models
            self._seen = seen
