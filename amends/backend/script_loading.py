"""Scripts are loaded into each node that runs them, before it is asked to by their digests."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from amends.backend.cluster import is_elsewhere, node_of, primaries_of
from amends.backend.scripts import SCRIPTS


def load_scripts(client: Any, key: str, ask: Callable[[Any], object]) -> Any:
    """Load all scripts, and return the last answer to what `ask` asks of a pipeline to the node of a key.

    Another node that is away is passed over: it is asked again when it answers, and has no scripts. Raises redis-py's errors.
    """
    own = node_of(client, key)
    for node in primaries_of(client):
        if node is not own:
            with suppress(RedisError):
                _loading(node).execute()
    pipeline = _loading(own)
    ask(pipeline)
    try:
        return pipeline.execute()[-1]
    except RedisError as error:
        if own is client or not is_elsewhere(error):
            raise
    pipeline = client.pipeline(transaction=False)  # redis-py looks where the key is now
    ask(pipeline)
    return pipeline.execute()[-1]


def _loading(node: Any) -> Any:
    pipeline = node.pipeline(transaction=False)
    for text in SCRIPTS.values():
        pipeline.script_load(text)
    return pipeline
