"""What can go wrong between the catalogue, the weights and a model's upstream.

ZhengwuError
└── ModelError
    ├── UnknownModel            no card of that name
    ├── CatalogueError          a card file is wrong
    ├── WeightsError
    │   ├── WeightsMissing      not on this machine yet
    │   ├── WeightsDigest       a file is not what the card says
    │   ├── DiskTooSmall        not enough room
    │   ├── SourceFailed        one source failed; the next may be tried
    │   └── SourcesDown         every configured source failed
    ├── EgressRefused           data of this grade may not go to this upstream
    │   └── RedirectRefused     an upstream wanted to send us elsewhere
    └── UpstreamError
        ├── UpstreamDown        no connection, or no answer in time
        ├── UpstreamKeyMissing  the upstream needs a key that is not set
        ├── UpstreamFailed      it answered with an error
        ├── UpstreamCut         it stopped in the middle of an answer
        └── NoUpstream          none is configured, or every one failed
"""

from zhengwu.errors import ZhengwuError


class ModelError(ZhengwuError):
    """Something about a model failed."""

    code = "model"


class UnknownModel(ModelError):
    """No card has this name."""

    code = "unknown_model"


class CatalogueError(ModelError):
    """A catalogue file is wrong."""

    code = "catalogue"


class WeightsError(ModelError):
    """Weights could not be had."""

    code = "weights"


class WeightsMissing(WeightsError):
    """The weights are not on this machine."""

    code = "weights_missing"


class WeightsDigest(WeightsError):
    """A file is not what the card says. Never a warning."""

    code = "weights_digest"


class DiskTooSmall(WeightsError):
    """There is not enough room for the weights."""

    code = "disk_too_small"


class SourceFailed(WeightsError):
    """One source cannot give the weights; the next one may."""

    code = "source_failed"


class SourcesDown(WeightsError):
    """Every configured source failed."""

    code = "sources_down"


class EgressRefused(ModelError):
    """Data of this grade may not go to this upstream."""

    code = "egress_refused"


class RedirectRefused(EgressRefused):
    """An upstream answered with a redirect, which is never followed."""

    code = "redirect_refused"


class UpstreamError(ModelError):
    """An upstream did not do its part."""

    code = "upstream"


class UpstreamDown(UpstreamError):
    """No connection, or no answer in time."""

    code = "upstream_down"


class UpstreamKeyMissing(UpstreamError):
    """The upstream needs a key that is not set."""

    code = "upstream_key_missing"


class UpstreamFailed(UpstreamError):
    """The upstream answered with an error."""

    code = "upstream_failed"

    def __init__(self, message: str, status: int = 502) -> None:
        super().__init__(message)
        self.status = status


class UpstreamCut(UpstreamError):
    """The upstream stopped in the middle of an answer."""

    code = "upstream_cut"


class NoUpstream(UpstreamError):
    """No upstream is configured for the name, or every one failed."""

    code = "no_upstream"
