"""The error tree: every error has a word of its own."""

import importlib
import pkgutil

import zhengwu
from zhengwu.errors import LimitError, OutboundError, SettingsError, ZhengwuError


def _tree(error: type[ZhengwuError]) -> list[type[ZhengwuError]]:
    return [error, *(below for child in error.__subclasses__() for below in _tree(child))]


def test_every_error_has_a_code_and_a_docstring() -> None:
    for room in ("datasets", "models", "serving", "rag", "agents", "eval", "gateway"):
        path = f"zhengwu.{room}.errors"
        if pkgutil.resolve_name("importlib.util:find_spec")(path):
            importlib.import_module(path)
    for error in _tree(ZhengwuError):
        if error.__module__.startswith(zhengwu.__name__):
            assert error.code and error.code.replace("_", "").isalnum(), error
            assert error.__doc__, error


def test_the_cellars_errors_differ() -> None:
    codes = [e.code for e in (ZhengwuError, SettingsError, LimitError, OutboundError)]
    assert len(set(codes)) == len(codes)
