"""No load at all, for as long as the others take: what the swaps alone cost. Result: JSON."""

import argparse
import json
import sys
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=30)
    time.sleep(parser.parse_args().seconds)
    json.dump({"errors": 0, "generator_cpu": 0.0}, sys.stdout)


if __name__ == "__main__":
    main()
