"""What can go wrong with an evaluation.

EvalError
├── BadCases      a case file is missing or malformed
└── BenchFailed   a server of a bench did not start, or answered wrongly
"""

from zhengwu.errors import ZhengwuError


class EvalError(ZhengwuError):
    """An evaluation cannot run."""

    code = "eval"


class BadCases(EvalError):
    """A case file is missing or malformed."""

    code = "bad_cases"


class BenchFailed(EvalError):
    """A server of a bench did not start, or answered wrongly."""

    code = "bench_failed"
