"""`python -m engine.evaluation`: what `diffill eval` runs in a process of its own."""

from __future__ import annotations

import argparse
import sys

from engine.errors import ConfigError, EngineError
from engine.evaluation.modes import add_arguments


def main() -> int:
    """Print the report; exit codes are those of `diffill`."""
    parser = argparse.ArgumentParser(prog="diffill eval", description=__doc__, allow_abbrev=False)
    add_arguments(parser)
    args = parser.parse_args()
    try:
        from engine.evaluation.run import evaluate

        sys.stdout.write(evaluate(args))
    except EngineError as error:
        sys.stderr.write(f"diffill: {error}\n")
        return 2 if isinstance(error, ConfigError) else 3
    except KeyboardInterrupt:
        sys.stderr.write("diffill: interrupted; the same command goes on from here\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
