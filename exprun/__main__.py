"""The entry point: answers the cheapest questions itself and hands the rest to `exprun.cli`."""

import _signal  # type: ignore[import-not-found]  # `signal` itself costs milliseconds
import atexit
import gc
import os
import sys

# As in `exprun.cli.main`: `typing` costs milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

# Most of what a command makes lasts until it ends: looking for garbage is seldom worth its time.
gc.set_threshold(50_000, 20, 20)

# Until a command takes signals over, Ctrl-C ends the process at once and without a traceback;
# what the caller has made us ignore, we go on ignoring.
if _signal.getsignal(_signal.SIGINT) != _signal.SIG_IGN:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def start() -> "NoReturn":
    """Run the command line and end the process with its exit code.

    Python's own way out would then take every module apart, a sixth of what a small run costs. All
    that others rely on happens as ever: threads end, exit handlers run, output is flushed.
    """
    code = main()
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    atexit._run_exitfuncs()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:  # As when a disk is full. Python would complain of it in words of its own.
        code = code or 3
    os._exit(code)


def main() -> int:
    """Run the command line in `sys.argv` and return its exit code."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from exprun import __version__

        try:
            if sys.stdout:
                sys.stdout.write(f"exprun {__version__}\n")
        except OSError:
            return 3
        return 0
    from exprun.cli.main import run

    return run(arguments)


if __name__ == "__main__":
    start()
