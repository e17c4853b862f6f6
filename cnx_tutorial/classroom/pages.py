"""nbgrader's feedback pages with formulas that show without a network: MathML, which browsers draw by themselves, in place of MathJax."""

import html
import re

from latex2mathml.converter import convert
from nbconvert.exporters import HTMLExporter

SCRIPT = re.compile(
    r"<script[^>]*(?:mathjax|MathJax)[^>]*>.*?</script>|<script[^>]*>(?:(?!</script>).)*MathJax(?:(?!</script>).)*</script>",
    re.DOTALL,
)
CODE = re.compile(r"(<pre\b.*?</pre>|<code\b.*?</code>|<script\b.*?</script>|<style\b.*?</style>)", re.DOTALL)
FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\$\w])\$(?P<line>[^$\n]+?)\$(?![\w$])", re.DOTALL)


class OfflineHTMLExporter(HTMLExporter):
    """nbconvert's HTML exporter; the page asks no server for anything."""

    def from_notebook_node(self, nb, resources=None, **kwargs):
        page, resources = super().from_notebook_node(nb, resources, **kwargs)
        return offline(page), resources


def offline(page: str) -> str:
    """The page with its formulas as MathML, and without the scripts that would fetch MathJax or RequireJS."""
    page = re.sub(r"<script[^>]*src=\"https?://[^>]*></script>", "", SCRIPT.sub("", page))
    parts = CODE.split(page)
    return "".join(part if i % 2 else FORMULA.sub(_mathml, part) for i, part in enumerate(parts))


def _mathml(formula: re.Match) -> str:
    text = html.unescape(formula["block"] or formula["line"])
    try:
        return convert(text, display="block" if formula["block"] else "inline")
    except Exception:  # a formula that the converter does not know stays readable as it was written
        return f"<code>{html.escape(text)}</code>"
