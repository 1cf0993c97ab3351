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
    ├── RoutesError             a route names what is not there
    └── UpstreamError
        ├── UpstreamDown        no connection
        │   └── UpstreamSlow    no answer in time
        ├── UpstreamKeyMissing  the upstream needs a key that is not set
        ├── UpstreamFailed      it answered with an error
        │   ├── UpstreamLimited it wants fewer requests
        │   ├── UpstreamRejects it does not accept us: key, balance, model or address
        │   ├── UpstreamGarbled its answer is not what the wire allows
        │   ├── ContextOverflow the request is longer than the model's context
        │   └── ContentRefused  the upstream's own content check refused
        ├── UpstreamCut         it stopped in the middle of an answer
        ├── UpstreamBusy        too many requests wait for it here already
        ├── UpstreamResting     it failed lately and is left alone for a while
        ├── DeadlinePassed      the request's time was up before an answer began
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


class RoutesError(ModelError):
    """A route names what is not there."""

    code = "routes"


class UpstreamError(ModelError):
    """An upstream did not do its part. `wait_s`: when it may be asked again, where it said so."""

    code = "upstream"
    wait_s: float | None = None


class UpstreamDown(UpstreamError):
    """No connection."""

    code = "upstream_down"


class UpstreamSlow(UpstreamDown):
    """No answer began in time."""

    code = "upstream_slow"


class UpstreamKeyMissing(UpstreamError):
    """The upstream needs a key that is not set."""

    code = "upstream_key_missing"


class UpstreamFailed(UpstreamError):
    """The upstream answered with an error."""

    code = "upstream_failed"

    def __init__(self, message: str, status: int = 502, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.wait_s = wait_s


class UpstreamLimited(UpstreamFailed):
    """The upstream wants fewer requests."""

    code = "upstream_limited"


class UpstreamRejects(UpstreamFailed):
    """The upstream does not accept us: our key, balance, name of the model or address is wrong."""

    code = "upstream_rejects"


class UpstreamGarbled(UpstreamFailed):
    """The upstream's answer is not what the wire allows."""

    code = "upstream_garbled"


class ContextOverflow(UpstreamFailed):
    """The request is longer than the model's context."""

    code = "context_overflow"


class ContentRefused(UpstreamFailed):
    """The upstream's own content check refused the request or its answer."""

    code = "content_refused"


class UpstreamCut(UpstreamError):
    """The upstream stopped in the middle of an answer."""

    code = "upstream_cut"


class UpstreamBusy(UpstreamError):
    """Too many requests wait for the upstream here already."""

    code = "upstream_busy"


class UpstreamResting(UpstreamError):
    """The upstream failed lately, or asked for a pause, and is left alone until that is over."""

    code = "upstream_resting"


class DeadlinePassed(UpstreamError):
    """The time of the request was up before an answer began."""

    code = "deadline_passed"


class NoUpstream(UpstreamError):
    """No upstream is configured for the name, or every one failed."""

    code = "no_upstream"
