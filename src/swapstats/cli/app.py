"""The command line: one function a command, each in a file of its own.

Exit status: 0 done, 1 something failed or a difference was found, 2 the command cannot be
carried out as asked.
"""

import sys

from cyclopts import App

from swapstats import __version__
from swapstats.errors import Rejected, SwapstatsError

_HELP = """Exact real-time statistics per token from DEX swaps and exchange trades.

Swaps come in from a source, go through a durable log into sliding windows per token, and go out
by HTTP, WebSocket and a page. Everything is kept in one data directory; kill it at any moment
and start it again.

Begin with `swapstats run` and open the address it names.
"""

app = App(name="swapstats", help=_HELP, version=__version__, help_format="markdown")
_COMMANDS = {
    "run": "swapstats.cli.run:run_command",
    "ingest": "swapstats.cli.ingest:ingest_command",
    "collect": "swapstats.cli.collect:app",
    "preprocess": "swapstats.cli.preprocess:preprocess_command",
    "aggregate": "swapstats.cli.aggregate:aggregate_command",
    "serve": "swapstats.cli.serve:serve_command",
    "replay": "swapstats.cli.replay:replay_command",
    "backfill": "swapstats.cli.backfill:backfill_command",
    "stats": "swapstats.cli.stats:stats_command",
    "top": "swapstats.cli.stats:top_command",
    "topics": "swapstats.cli.topics:app",
    "audit": "swapstats.cli.audit:audit_command",
    "archive": "swapstats.cli.archive:app",
    "explain": "swapstats.cli.explain:explain_command",
    "dead-letters": "swapstats.cli.dead_letters:dead_letters_command",
    "bench": "swapstats.cli.bench:bench_command",
    "config": "swapstats.cli.config:app",
    "confirm-clock": "swapstats.cli.stats:confirm_clock_command",
}
for _place, (_name, _where) in enumerate(_COMMANDS.items()):
    app.command(_where, name=_name, sort_key=_place)


def main() -> None:
    """Run the command line; errors become one line and an exit status."""
    if sys.argv[1:] in ([], ["--help"], ["-h"]):
        for name in _COMMANDS:
            app[name]  # load it: only then its first line can be shown
    try:
        status = app(sys.argv[1:], result_action="return_value")
    except Rejected as error:
        _complain(error)
        sys.exit(2)
    except SwapstatsError as error:
        _complain(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)


def _complain(error: SwapstatsError) -> None:
    print(f"swapstats: {error}", file=sys.stderr)
