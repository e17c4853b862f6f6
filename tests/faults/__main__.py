"""Try every fault and print the table; it goes into docs/reliability.md. Disk full and read-only need the right to mount.

python -m tests.faults
"""

import os
import sys
import tempfile
from pathlib import Path

from tests.faults.table import Bench
from tests.reliability import write_section

HEAD = "| fault | ended with | going on | survived | lost |\n|---|---|---|---|---|"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["YOLO_CONFIG_DIR"] = str(Path(folder) / "settings")
        Path(folder, "settings").mkdir()
        bench, outcomes, skipped = Bench(Path(folder)), [], []
        for name, attempt in bench.all():
            outcome = attempt()
            if outcome is None:
                skipped.append(name)
            else:
                outcomes.append(outcome)
                print(outcome.row(), flush=True)
    survived = sum(outcome.survived for outcome in outcomes)
    summary = f"{len(outcomes)} faults injected, {survived} survived, {sum(o.lost != 'nothing' for o in outcomes)} lost something"
    summary += f"; not tried here, since nothing can be mounted: {', '.join(skipped)}" if skipped else ""
    print(summary)
    write_section(
        "faults",
        "\n".join([f"`python -m tests.faults` printed:\n\n{HEAD}", *(o.row() for o in outcomes), "", f"{summary}."]),
    )
    return int(survived < len(outcomes))


if __name__ == "__main__":
    sys.exit(main())
