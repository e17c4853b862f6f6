"""Try many examples of each kind and print what escaped.

    python -m tests.fuzz [--examples 10000] [--kind NAME] [--seed 0]

Ends with status 1 where something escaped. A run of all kinds writes its table into docs/reliability.md.
"""

import os
import tempfile

os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.mkdtemp(prefix="cnx-fuzz-"))
os.environ["YOLO_OFFLINE"], os.environ["YOLO_AUTOINSTALL"] = "1", "0"

os.environ["OPENCV_LOG_LEVEL"] = "SILENT"  # it would report each broken image

import argparse  # noqa: E402
import gc  # noqa: E402
import sys  # noqa: E402

from tests.fuzz.engine import Tried, tried  # noqa: E402
from tests.fuzz.kinds import KINDS  # noqa: E402
from tests.reliability import write_section  # noqa: E402


def table(results: list[Tried]) -> str:
    lines = ["| kind | examples | seconds | how they were taken | escapes |", "|---|---|---|---|---|"]
    for r in results:
        taken = ", ".join(f"{word} {count:,}" for word, count in r.taken.most_common())
        lines.append(f"| {r.name} | {r.count:,} | {r.seconds:.0f} | {taken} | {len(r.escapes)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument(
        "--kind", action="append", help=f"one of {', '.join(kind.name for kind in KINDS)}; default: all"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    results = []
    for kind in KINDS:
        if args.kind and kind.name not in args.kind:
            continue
        results.append(tried(kind, args.examples, args.seed))
        gc.collect()
        gc.freeze()  # Hypothesis keeps millions of objects; without this every later collection walks through them again
        print(
            f"{kind.name}: {results[-1].count} examples, {results[-1].seconds:.0f} s, {dict(results[-1].taken)}",
            flush=True,
        )
        for what, example in results[-1].escapes.items():
            print(f"  ESCAPE {what}\n    {example[:600]}", flush=True)
    print(table(results))
    if not args.kind:
        write_section(
            "fuzz", f"`python -m tests.fuzz --examples {args.examples} --seed {args.seed}` printed:\n\n{table(results)}"
        )
    return int(any(result.escapes for result in results))


if __name__ == "__main__":
    sys.exit(main())
