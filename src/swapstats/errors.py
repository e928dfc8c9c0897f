"""The whole error tree of swapstats.

- SwapstatsError
    - Transient: worth another try, says when
    - Rejected: bad input from outside; counted, kept, never stops the stream
        - SettingsError: a configuration that cannot be honoured
        - UsageError: a command that cannot be carried out as asked
    - Fatal: this process must stop; nothing is lost by stopping
        - StoreError: a store on disk cannot be read or written
            - StoreFull: no space left
            - StoreCorrupt: bytes are not what was written
            - StoreFormat: written by a newer version
            - StoreLocked: another process writes here
        - Fenced: a newer owner of the shard exists
        - KeyMismatch: the state was made with another hash key
        - SettingsMismatch: the state was made with other settings
        - OffsetGone: the log no longer holds the offset to resume from
        - InvariantBroken: a bug in swapstats
"""


class SwapstatsError(Exception):
    """Base of every error swapstats raises on purpose."""


class Transient(SwapstatsError):
    """Worth another try.

    Args:
        message: what failed.
        retry_after_ms: how long to wait before the next try, in milliseconds.
    """

    def __init__(self, message: str, retry_after_ms: int = 1_000) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class Rejected(SwapstatsError):
    """Input from outside that cannot be used; the caller counts it and goes on."""


class SettingsError(Rejected):
    """A configuration that cannot be honoured; the message names the key and the remedy."""


class UsageError(Rejected):
    """A command that cannot be carried out as asked; the message says what to do instead."""


class Fatal(SwapstatsError):
    """This process must stop.

    Operator action: read the message, remove the cause, start again. State is safe: start-up
    and recovery are the same path.
    """


class StoreError(Fatal):
    """A store on disk cannot be read or written.

    Operator action: check the disk and the permissions of the data directory, start again.
    """


class StoreFull(StoreError):
    """No space left on the device that holds a store.

    Operator action: free space (or lower `log.retention`), start again. What was acknowledged
    is on disk; the unacknowledged rest is read again from its source.
    """


class StoreCorrupt(StoreError):
    """Bytes of a store are not what was written.

    Operator action: for a checkpoint, start with `--rebuild` to rebuild the state from the log;
    for the log, restore the file from a copy.
    """


class StoreFormat(StoreError):
    """A store was written by a newer version of swapstats.

    Operator action: run that version, or start with an empty data directory.
    """


class StoreLocked(StoreError):
    """Another process writes to this data directory.

    Operator action: stop that process (its pid is in the message) or use another directory.
    """


class Fenced(Fatal):
    """A newer owner of the shard exists; this one must not write any more.

    Operator action: none, if another instance took over. Otherwise find the second instance.
    """


class KeyMismatch(Fatal):
    """The checkpoint was made with another hash key than the one at hand, or the key is gone.

    Operator action: restore the key file, or start with `--rebuild` to rebuild the state from
    the log with a new key.
    """


class SettingsMismatch(Fatal):
    """The data directory was made with other settings than those given.

    Operator action: give the settings named in the message, or use another directory.
    """


class OffsetGone(Fatal):
    """The log no longer holds the offset the state must resume from.

    Operator action: start with `--accept-gap`; the gap is recorded in `complete_since`.
    """


class StateTooLarge(Fatal):
    """The state of a shard does not fit the memory it may use.

    Operator action: more partitions, shorter windows or a wider step; nothing is lost.
    """


class InvariantBroken(Fatal):
    """A bug in swapstats: something that must hold did not.

    Operator action: report it with the message; restart recovers from the newest checkpoint.
    """


class NotAcquired(InvariantBroken):
    """A store does not know the epoch that writes to it: it was never acquired there, or forgotten.

    Operator action: none by itself; a store that was emptied says so elsewhere.
    """
