"""Pages in docs/ whose tables are what commands printed."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def write_section(name: str, text: str, page_name: str = "reliability.md") -> None:
    """Replace what stands in a page between `<!-- begin NAME -->` and `<!-- end NAME -->`."""
    file = DOCS / page_name
    page = file.read_text(encoding="utf-8")
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    changed = re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n\n{text}\n\n{end}", page, flags=re.DOTALL)
    if begin not in page:
        raise ValueError(f"{file} has no section {name}")
    file.write_text(changed, encoding="utf-8")
