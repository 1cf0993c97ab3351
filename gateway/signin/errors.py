"""What can go wrong when somebody signs in.

GatewayError
├── SignInError
│   ├── SignInRefused           name, password or code is wrong; never which
│   ├── SecondFactorNeeded      the password is right, a code is missing
│   ├── SessionEnded            no session, or it has ended
│   ├── WeakPassword            a new password that the rules do not allow
│   ├── CsrfRefused             a write without the token of its session
│   ├── SealBroken              a sealed secret cannot be opened with this key
│   ├── ProviderRefused         the provider's answer does not hold
│   ├── ProviderUnavailable     the provider cannot be reached, or answers nonsense
│   └── ProviderNotConfigured   no provider is set up
└── TooManyRequests
    └── LockedOut               too many failures: come again later
"""

from zhengwu.gateway.errors import GatewayError, TooManyRequests


class SignInError(GatewayError):
    """Somebody could not sign in."""

    code = "sign_in"


class SignInRefused(SignInError):
    """Name, password or code is wrong; never which."""

    code = "sign_in_refused"


class SecondFactorNeeded(SignInError):
    """The password is right, a code is missing."""

    code = "second_factor_needed"


class SessionEnded(SignInError):
    """No session, or it has ended."""

    code = "session_ended"


class WeakPassword(SignInError):
    """A new password that the rules do not allow."""

    code = "weak_password"


class CsrfRefused(SignInError):
    """A write without the token of its session."""

    code = "csrf_refused"


class SealBroken(SignInError):
    """A sealed secret cannot be opened with this key."""

    code = "seal_broken"


class ProviderRefused(SignInError):
    """The provider's answer does not hold."""

    code = "provider_refused"


class ProviderUnavailable(SignInError):
    """The provider cannot be reached, or answers nonsense."""

    code = "provider_unavailable"


class ProviderNotConfigured(SignInError):
    """No provider is set up."""

    code = "provider_not_configured"


class LockedOut(TooManyRequests):
    """Too many failures: come again later."""

    code = "locked_out"
