"""How every command prints results and errors, for people and with `--json`."""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.table import Column

from zhengwu.errors import ZhengwuError

Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]


def id_column() -> Column:
    """The first column of a list: an id must be whole to be copied."""
    return Column("编号", no_wrap=True)


@contextmanager
def failures(as_json: bool) -> Generator[None]:
    """Turn what the product raises into a line on stderr and exit status 1."""
    try:
        yield
    except ZhengwuError as error:
        line = {"error": {"code": error.code, "message": str(error)}}
        text = json.dumps(line, ensure_ascii=False) if as_json else f"错误：{error}"
        print(text, file=sys.stderr)
        raise typer.Exit(1) from error


def show(value: Any) -> None:
    """Print one JSON value."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
