"""The options of a breaker: what is refused, and by which words."""

import gc
import re

import pytest

from amends import CircuitBreaker, DefinitionError
from amends.breaker.options import Options


def define(name="options", **options):
    return CircuitBreaker(name, **{"failure_on": (OSError,), **options})


def test_every_option_but_the_failures_has_a_default():
    assert define("defaults").options == Options(
        failure_on=(OSError,),
        success_on=(),
        failure_threshold=3,
        reset_timeout=60.0,
        half_open_max_calls=1,
        success_threshold=1,
        reset_timeout_multiplier=1.0,
        max_reset_timeout=600.0,
        reset_jitter=0.0,
        failure_window=None,
        probe_lease=60.0,
        on_backend_error="local",
    )
    with pytest.raises(TypeError, match="failure_on"):
        CircuitBreaker("none")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"failure_on": ()}, "failure_on is (), not a tuple of exception classes"),
        ({"failure_on": OSError}, "failure_on is <class 'OSError'>, not a tuple"),
        ({"failure_on": (OSError, 5)}, "not a tuple of exception classes"),
        ({"success_on": (OSError,)}, "none of them in failure_on"),
        ({"failure_threshold": 0}, "failure_threshold is 0, not a whole number from 1 to 1000"),
        ({"failure_threshold": 2.5}, "failure_threshold is 2.5"),
        ({"failure_threshold": 1001}, "failure_threshold is 1001"),
        ({"failure_threshold": True}, "failure_threshold is True"),
        ({"reset_timeout": 0}, "reset_timeout is 0, not seconds above 0"),
        ({"reset_timeout": 601.0}, "max_reset_timeout is 600.0, not 601.0 s (reset_timeout) or more"),
        ({"reset_timeout": "60"}, "reset_timeout is '60', not seconds above 0"),
        ({"half_open_max_calls": 0}, "half_open_max_calls is 0"),
        ({"success_threshold": 0}, "success_threshold is 0"),
        ({"reset_timeout_multiplier": 0.5}, "reset_timeout_multiplier is 0.5, not 1 or more"),
        ({"reset_jitter": 1.5}, "reset_jitter is 1.5, not from 0 to 1"),
        ({"failure_window": 0}, "failure_window is 0, not None or seconds above 0"),
        ({"probe_lease": 0}, "probe_lease is 0"),
        ({"on_backend_error": "ignore"}, "on_backend_error is 'ignore', not 'local', 'allow' or 'reject'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(options, said):
    with pytest.raises(DefinitionError, match=f"^circuit breaker 'options': .*{re.escape(said)}"):
        define(**options)


@pytest.mark.parametrize("name", ["", "a b", "{a}", "a:b", "x" * 129, None])
def test_a_name_that_is_no_part_of_a_key_is_refused(name):
    with pytest.raises(DefinitionError, match="a circuit breaker's name is 1 to 128 letters"):
        define(name)


def test_another_configuration_under_one_name_is_refused_and_both_are_said():
    first = define("twice")
    with pytest.raises(
        DefinitionError,
        match="'twice' is defined twice: failure_threshold is 5 here and 3 there, and reset_timeout is"
        " 1.0 here and 60.0 there; define it once".replace(".", r"\."),
    ):
        define("twice", failure_threshold=5, reset_timeout=1.0)
    second = define("twice")
    del first
    gc.collect()
    with pytest.raises(DefinitionError, match="defined twice"):
        define("twice", failure_threshold=5)
    del second


@pytest.mark.parametrize("jitter", [0.0, 0.1, 1.0])
def test_jitter_makes_a_wait_longer_and_never_shorter(jitter):
    options = define(f"jitter-{jitter}", reset_jitter=jitter).options
    drawn = [options.jitter() for _ in range(1000)]
    assert 1 <= min(drawn) <= max(drawn) <= 1 + jitter
    assert (max(drawn) > 1) == (jitter > 0)
