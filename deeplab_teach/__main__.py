"""The command line: `python -m deeplab_teach doctor | get-weights | train | evaluate | predict | export | papers`."""

import os
import sys

if __name__ == "__main__":
    # `python -m` looks for modules in the current folder first: a `random.py` of yours there would pass for Python's.
    sys.path[:] = [folder for folder in sys.path if folder not in ("", os.getcwd())]

import argparse
from collections.abc import Sequence

from deeplab_teach.commands import evaluate, export, predict, train


def doctor(args: argparse.Namespace) -> int:
    from deeplab_teach import doctor

    return doctor.main()


def get_weights(args: argparse.Namespace) -> None:
    from deeplab_teach.doctor import hosted
    from deeplab_teach.weights import LESSON_WEIGHTS, fetch

    for name in args.names or LESSON_WEIGHTS:
        print(f"{name}: {fetch(name).name} is here and whole")
    for words in hosted():
        print(words)


def papers(args: argparse.Namespace) -> None:
    from deeplab_teach.papers import report, reproduce
    from deeplab_teach.papers.counting import PER_PARAMETER

    results = reproduce(args.tables or None, per_parameter=PER_PARAMETER if args.per_parameter else 0)
    print(report(results))
    tried = [result for result in results if result.ours is not None]
    print(f"\n{sum(result.agrees for result in tried)} of {len(tried)} figures agree.")


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python -m deeplab_teach", description=__doc__)
    commands = result.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("doctor", help="what is installed and there, and what to do about what is missing")
    command.set_defaults(run=doctor)

    command = commands.add_parser("get-weights", help="bring pretrained weights and check them")
    command.add_argument("names", nargs="*", metavar="NAME", help="default: those the lessons need")
    command.set_defaults(run=get_weights)

    train.add(commands)
    evaluate.add(commands)
    predict.add(commands)
    export.add(commands)

    command = commands.add_parser("papers", help="count what the papers' tables count, and compare row by row")
    command.add_argument("tables", nargs="*", metavar="TABLE", help="default: all")
    command.add_argument("--per-parameter", action="store_true", help="add what TensorFlow's profiler adds")
    command.set_defaults(run=papers)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot write a letter of a file's name writes `?` for it
            stream.reconfigure(errors="replace")
    try:
        return args.run(args) or 0
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; `train` with the same options goes on after the last whole epoch", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
