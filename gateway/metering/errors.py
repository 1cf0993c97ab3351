"""What can go wrong with metering.

GatewayError
└── MeteringError
    └── PricesWrong     the file of internal prices does not say what it should
"""

from zhengwu.gateway.errors import GatewayError


class MeteringError(GatewayError):
    """Metering failed."""

    code = "metering"


class PricesWrong(MeteringError):
    """The file of internal prices does not say what it should."""

    code = "prices"
