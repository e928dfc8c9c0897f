"""Two updates of one shard in one: for readers that fell behind and want only the newest.

Never loses a token: the later row of a token stands for the earlier one.
"""

import numpy as np

from swapstats.errors import InvariantBroken
from swapstats.model.effects import StatsUpdate, TokenName


def merge_updates(earlier: StatsUpdate, later: StatsUpdate) -> StatsUpdate:
    """Join two updates so that applying the result equals applying both in order.

    Args:
        earlier: the update that came first.
        later: a newer update of the same partition.

    Returns:
        An update with the place (epoch, seq, offset, times) of `later`; token ids ascending.

    Raises:
        InvariantBroken: the updates are of different partitions or out of order.
    """
    if earlier.partition != later.partition or earlier.seq >= later.seq:
        raise InvariantBroken(
            f"Expected updates of one partition in order, was {earlier.partition}/{earlier.seq} "
            f"then {later.partition}/{later.seq}"
        )
    if later.whole:
        return later
    names: dict[int, TokenName] = {name.token_id: name for name in earlier.names}
    for name in later.names:
        before = names.get(name.token_id)
        if name.symbol is None and before is not None and before.key == name.key:
            continue
        names[name.token_id] = name
    # The later one stands first: unique() returns the first place of each id.
    token_ids, first = np.unique(
        np.concatenate((later.token_ids, earlier.token_ids)), return_index=True
    )
    rows = np.concatenate((later.rows, earlier.rows))[first]
    return StatsUpdate(
        partition=later.partition,
        epoch=later.epoch,
        seq=later.seq,
        offset=later.offset,
        t_ms=later.t_ms,
        end_ms=later.end_ms,
        complete_since_ms=later.complete_since_ms,
        names=tuple(names[token_id] for token_id in sorted(names)),
        token_ids=token_ids,
        rows=rows,
        whole=earlier.whole,
    )
