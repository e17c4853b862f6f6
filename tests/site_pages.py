"""Every page of the web site, and every slide, in a real browser: `make look` or

    python -m tests.site_pages [--pictures FOLDER]

after `make site` (and `make slides`). Each page is opened in a headless Chromium at 390 and 1280 pixels, light and dark. Counted are: requests to
elsewhere, requests that fail, errors of the console, pages that scroll sideways, pictures and links that are broken, formulas that were not set,
and what axe-core finds. The exit code is 1 where anything but a minor or moderate finding of axe is there. Screenshots of some pages go to FOLDER.

Needs a Chromium (Debian and Ubuntu: `apt-get install chromium`; or name yours in CHROMIUM) and `pip install playwright axe-playwright-python`.
"""

import argparse
import functools
import http.server
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urldefrag, urljoin

from tests.browser import chromium

SITE = Path(__file__).parents[1] / "build" / "site"
HTML, SLIDES = SITE / "html", SITE / "slides"
WIDTHS, SCHEMES = (390, 1280), ("light", "dark")
SHOWN = (
    "index.html",
    "notebooks/02_stem_and_downsample.html",
    "api.html",
    "zh/02_stem_and_downsample.html",
    "teaching/README.html",
)
FACTS = """() => ({
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    broken: [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src),
    links: [...document.links].map(a => a.href), ids: [...document.querySelectorAll('[id], a[name]')].map(e => e.id || e.name),
    formulas: document.querySelectorAll('span.math, div.math').length, set: document.querySelectorAll('mjx-container').length,
    wrong: document.querySelectorAll('mjx-merror, [data-mjx-error]').length })"""
OVERFLOW = """() => [...document.querySelectorAll('.slides section')].filter(s => !s.querySelector('section'))
    .map((s, i) => [i, s.scrollHeight, s.querySelector('h1, h2, h3')?.textContent || '']).filter(([, high]) => high > 720)"""


@contextmanager
def served(folder: Path):
    """The address of a server of this machine only."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Findings:
    """What was wrong, by kind."""

    def __init__(self):
        self.lines: dict[str, list[str]] = {}

    def add(self, kind: str, line: str) -> None:
        if line not in self.lines.setdefault(kind, []):
            self.lines[kind].append(line)

    def count(self, kind: str) -> int:
        return len(self.lines.get(kind, ()))


def line(text: str) -> str:
    return " ".join(text.split())[:160]


def watch(page, home: str, found: Findings) -> None:
    """Note what a page asks for, what it does not get, and what its console says."""
    page.on(
        "request", lambda r: r.url.startswith((home, "data:", "blob:")) or found.add("requests to elsewhere", r.url)
    )
    page.on("requestfailed", lambda r: found.add("failed requests", r.url))
    page.on("response", lambda r: r.status < 400 or found.add("failed requests", f"{r.status} {r.url}"))
    page.on("console", lambda m: m.type != "error" or found.add("console errors", m.text[:200]))
    page.on("pageerror", lambda e: found.add("console errors", str(e)[:200]))


def visit(page, address: str, at: str, found: Findings) -> dict:
    """Open a page until its formulas are set, note pictures that are broken and formulas that are not set, and return the facts of the page."""
    page.goto(address, wait_until="networkidle")
    page.evaluate("() => window.MathJax?.startup?.promise")
    facts = page.evaluate(FACTS)
    for source in facts["broken"]:
        found.add("broken pictures", f"{at}: {source}")
    if facts["wrong"] or facts["formulas"] > facts["set"]:
        said = f"{facts['formulas']} written, {facts['set']} set, {facts['wrong']} wrong"
        found.add("formulas that were not set", f"{at}: {said}")
    return facts


def look(browser, home: str, pages: list[str], pictures: Path, axe: str, found: Findings) -> Counter:
    """Open each page in each width and scheme; the findings of axe by severity."""
    severity, links, ids = Counter(), {}, {}
    for width in WIDTHS:
        for scheme in SCHEMES:
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page = context.new_page()
            watch(page, home, found)
            for name in pages:
                at = f"{name} at {width} px, {scheme}"
                facts = visit(page, home + name, at, found)
                if facts["wide"] > 0:
                    found.add("pages that scroll sideways", f"{at}: {facts['wide']} px too wide")
                links[name], ids[name] = facts["links"], {*facts["ids"]}
                if name in SHOWN:
                    page.screenshot(path=pictures / f"{Path(name).stem}_{Path(name).parent.name}_{width}_{scheme}.png")
                page.evaluate(axe)
                for one in page.evaluate("() => axe.run(document, {resultTypes: ['violations'], preload: false})")[
                    "violations"
                ]:
                    severity[one["impact"]] += len(one["nodes"])
                    where = one["nodes"][0]
                    found.add(
                        f"axe: {one['impact']}",
                        f"{at}: {one['id']} ({len(one['nodes'])}) {line(where['html'])} {line(where['failureSummary'])}",
                    )
            context.close()
    for name in pages:
        for link in links[name]:
            address, part = urldefrag(urljoin(home + name, link))
            if not address.startswith(home):
                continue
            there = address.removeprefix(home) or "index.html"
            if not (HTML / there).is_file():
                found.add("broken links", f"{name}: {link}")
            elif part and there in ids and part not in ids[there]:
                found.add("broken links", f"{name}: {link} (no such place there)")
    return severity


def slides(browser, home: str, found: Findings) -> int:
    """Open each set of slides; the number of sets."""
    sets = sorted(path.name for path in SLIDES.glob("[0-9]*.html"))
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    watch(page, home, found)
    for name in sets:
        visit(page, home + name, name, found)
        for number, high, title in page.evaluate(OVERFLOW):
            found.add("slides that overflow", f"{name}, slide {number} ({title[:40]!r}): {high} of 720")
    return len(sets)


def main(arguments: list[str] | None = None) -> int:
    import axe_playwright_python
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="python -m tests.site_pages", description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, default=SITE / "pictures")
    pictures = parser.parse_args(arguments).pictures
    pictures.mkdir(parents=True, exist_ok=True)
    pages = sorted(path.relative_to(HTML).as_posix() for path in HTML.rglob("*.html") if "_static" not in path.parts)
    pages = [page for page in pages if page not in ("genindex.html", "search.html")]
    (axe,) = Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")
    found = Findings()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        with served(HTML) as home:
            severity = look(browser, home, pages, pictures, axe.read_text(encoding="utf-8"), found)
        count = 0
        if SLIDES.is_dir():
            with served(SLIDES) as home:
                count = slides(browser, home, found)
        browser.close()
    for kind, lines in found.lines.items():
        print(f"\n{kind}")
        print(*(f"  {line}" for line in lines[:12]), sep="\n")
    kinds = (
        "requests to elsewhere", "failed requests", "console errors", "pages that scroll sideways", "broken pictures", "broken links",
        "formulas that were not set", "slides that overflow",
    )  # fmt: skip
    print(f"\n{len(pages)} pages, each at {WIDTHS} px, light and dark; {count} sets of slides")
    print(*(f"{kind}: {found.count(kind)}" for kind in kinds), sep="\n")
    print("axe-core, elements by severity:", dict(severity))
    return int(any(found.count(kind) for kind in kinds) or bool(severity["critical"] or severity["serious"]))


if __name__ == "__main__":
    sys.exit(main())
