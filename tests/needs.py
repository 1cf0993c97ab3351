"""What a test needs from the machine: absent means skipped with a reason here, failed in CI."""

import os

import pytest


def need(present: bool, reason: str) -> None:
    """Skip the calling test or module when `present` is false; in CI fail instead."""
    if present:
        return
    if os.environ.get("CI"):
        pytest.fail(f"absent in CI: {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)
