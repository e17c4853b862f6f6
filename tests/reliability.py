"""docs/reliability.md: its tables are what the commands printed."""

import re
from pathlib import Path

FILE = Path(__file__).parents[1] / "docs" / "reliability.md"


def write_section(name: str, text: str) -> None:
    """Replace what stands between `<!-- begin NAME -->` and `<!-- end NAME -->`."""
    page = FILE.read_text(encoding="utf-8")
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    changed = re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n\n{text}\n\n{end}", page, flags=re.DOTALL)
    if begin not in page:
        raise ValueError(f"{FILE} has no section {name}")
    FILE.write_text(changed, encoding="utf-8")
