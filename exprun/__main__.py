"""The entry point: answers the cheapest questions itself and hands the rest to `exprun.cli`."""

import _signal  # type: ignore[import-not-found]  # `signal` itself costs milliseconds
import gc
import sys

# Most of what a command makes lasts until it ends: looking for garbage is seldom worth its time.
gc.set_threshold(50_000, 20, 20)

# Until a command takes signals over, Ctrl-C ends the process at once and without a traceback;
# what the caller has made us ignore, we go on ignoring.
if _signal.getsignal(_signal.SIGINT) != _signal.SIG_IGN:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def main() -> int:
    """Run the command line in `sys.argv` and return its exit code."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from exprun import __version__

        sys.stdout.write(f"exprun {__version__}\n")
        return 0
    from exprun.cli.main import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
