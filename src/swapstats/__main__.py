"""`swapstats` and `python -m swapstats`."""

from swapstats.cli.app import main

if __name__ == "__main__":
    main()
