"""The root of every error this product raises.

ZhengwuError
├── SettingsError          a setting is missing or wrong
├── LimitError             an input is larger than a stated limit
├── OutboundError          a connection that is not to a model failed or was not allowed
└── one subtree per package, drawn at the top of that package's errors.py

A message names the value and the remedy, in Chinese where a citizen, agent, civil servant
or operator may read it.
"""


class ZhengwuError(Exception):
    """Something failed that the caller can be told about. The message names the remedy."""

    code = "error"
    """A stable machine-readable word, carried to HTTP and `--json` output."""


class SettingsError(ZhengwuError):
    """A setting is missing or wrong."""

    code = "settings"


class LimitError(ZhengwuError):
    """An input is larger than a stated limit."""

    code = "limit"


class OutboundError(ZhengwuError):
    """A connection that is not to a model failed or was not allowed."""

    code = "outbound"
