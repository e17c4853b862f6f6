"""What an audit finds, and how it says so."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


class DataError(ValueError):
    """A data set that must not be trained on as it is."""


def shown(file: Path) -> str:
    """A file's name, of a name that no system takes only its ends."""
    name = str(file)
    return name if len(name) <= 1000 else f"{name[:100]} ... {name[-100:]} ({len(name)} characters)"


@dataclass(frozen=True)
class Problem:
    """One finding. severity: "error" or "warning"; line: 1 for the first line of a label file, None for a whole file."""

    severity: str
    file: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {shown(self.file)}{'' if self.line is None else f':{self.line}'}: {self.message}"


@dataclass
class AuditReport:
    """What `audit` found: per split the images that Ultralytics trains on, their labels (n, 5) and boxes by class; and problems, errors first."""

    data: Path
    names: dict[int, str] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    boxes: dict[str, Counter] = field(default_factory=dict)
    labels: dict[str, list[tuple[Path, np.ndarray]]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def errors(self) -> list[Problem]:
        return [p for p in self.problems if p.severity == "error"]

    def raise_if_errors(self) -> None:
        """Raises DataError, naming the first five errors, if there is any."""
        if self.errors:
            lines = "\n  ".join(map(str, self.errors[:5]))
            more = (
                f"\n  ... and {len(self.errors) - 5} more: cnx data audit {shown(self.data)}"
                if len(self.errors) > 5
                else ""
            )
            raise DataError(
                f"{shown(self.data)} has {len(self.errors)} errors; fix or remove these files:\n  {lines}{more}"
            )

    def __str__(self) -> str:
        lines = [f"audit of {shown(self.data)}"]
        for split, count in self.images.items():
            kinds = ", ".join(f"{self.names.get(k, k)} {n}" for k, n in sorted(self.boxes[split].items()))
            lines.append(f"  {split}: {count} images, {sum(self.boxes[split].values())} boxes ({kinds or 'none'})")
        lines += [f"  {problem}" for problem in self.problems[:20]]
        lines += [f"  ... and {len(self.problems) - 20} more"] if len(self.problems) > 20 else []
        return "\n".join(lines + ["  nothing wrong found"] * (not self.problems))
