"""What comes into the list of acts beside the acts' own transitions, and leaves it."""

from collections.abc import Mapping
from typing import Any

from amends.log.acts.act import ActsKept, BulkAct, Progress, act_members
from amends.log.store import Store


class Acts:
    """The list of a log's acts. Its methods raise `LogUnavailable`.

    An act on one saga or schedule is listed by its own transition, in the shard: none is done without its entry. One on a circuit is
    listed right after it: if its process dies in between, the circuit's own history has it alone. A bulk act is listed before
    its first saga.
    """

    def __init__(self, store: Store, kept: ActsKept) -> None:
        self._store = store
        self.kept = kept

    def begin(self, act: BulkAct, progress: Progress) -> None:
        """List a bulk act, before it comes to its first saga; one that is listed goes on."""
        self.update(act, progress)

    def update(self, act: BulkAct, progress: Progress) -> None:
        """Note how far a bulk act is: at least each half of `SILENT_AFTER`, or it counts as interrupted."""
        self._note(act.act_id, act.text, progress.members(state="running"))

    def end(self, act: BulkAct, progress: Progress, *, is_interrupted: bool = False) -> None:
        """Note what became of a bulk act, and whether it was stopped before it came to its last saga."""
        state = "interrupted" if is_interrupted else "ended"
        self._note(act.act_id, act.text, progress.members(state=state))

    def note_circuit_act(
        self, act_id: str, act: str, circuit: str, actor: Mapping[str, str]
    ) -> None:
        """List an act on a circuit."""
        self._note(act_id, f"{{{act_members(act, actor, circuit=circuit)}}}", "")

    def _note(self, act_id: str, entry: str, progress: str) -> None:
        arguments: list[Any] = [act_id, entry, progress, *self.kept.of_log]
        self._store.call_many("note_act", [([*self._store.acts_keys], arguments)])

    def remove_old(self) -> None:
        """Remove acts that are older than they are kept; some hundreds of each shard at a time."""
        shards = range(self._store.shards)
        of_shard: list[Any] = [*self.kept.of_shard(self._store.shards)]
        calls = [([key, f"{key}:progress"], of_shard) for key in map(self._store.acts_key, shards)]
        calls.append(([*self._store.acts_keys], [*self.kept.of_log]))
        self._store.call_many("remove_acts", calls)
