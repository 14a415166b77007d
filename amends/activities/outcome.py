"""What the error of an attempt says: whether it may have taken effect, and when to try again."""

from celery.exceptions import SoftTimeLimitExceeded

from amends.definition.retry_policy import RetryPolicy
from amends.errors import NotDone, Refused


def wait_after(policy: RetryPolicy, error: Exception, attempt: int) -> float:
    """Seconds until the next attempt: the policy's, or longer where the error asks for it."""
    wait = policy.wait(attempt)
    return max(wait, error.retry_after) if isinstance(error, NotDone) else wait


def as_timeout(error: Exception, limit: float) -> Exception:
    """Return an error as it is, but for a soft limit: that is the same error in every kind of pool."""
    is_limit = isinstance(error, SoftTimeLimitExceeded)
    return TimeoutError(f"no answer after {limit:g} s") if is_limit else error


def is_unknown(error: BaseException) -> bool:
    """Tell whether nobody knows if an attempt that ended so took effect."""
    return not isinstance(error, Refused | NotDone)
