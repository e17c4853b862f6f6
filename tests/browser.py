"""Every notebook in JupyterLab, in a real browser: `make browser` or

    python -m tests.browser [--pictures FOLDER] [notebooks...]

A copy of notebooks/ is served by a JupyterLab of its own. In a headless Chromium each notebook is opened, all its cells are run, and it is saved;
then strict nbval runs on the saved copy. Ends with the number of notebooks in which anything went wrong. A screenshot of each, top to bottom,
goes to FOLDER (default: a temporary one, named at the end): look at them.

Needs a Chromium (Debian and Ubuntu: `apt-get install chromium`; or name yours in CHROMIUM) and `pip install playwright`, without its own browsers.
"""

import argparse
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SECONDS = 600  # for one notebook
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },  # no popup over the page
    "@jupyterlab/notebook-extension/tracker": {
        "windowingMode": "none"
    },  # all cells are in the page, not only the visible ones
}
PANEL = "window.jupyterapp?.shell.currentWidget"
IDLE = f"() => {PANEL}?.sessionContext?.session?.kernel?.status === 'idle'"
RUN_ALL = """() => { window.__done = null; window.jupyterapp.commands.execute('notebook:run-all-cells')
    .then(r => window.__done = {ok: true, r}).catch(e => window.__done = {ok: false, e: String(e)}) }"""
STATE = f"""() => {{ const code = {PANEL}.content.model.sharedModel.cells.filter(c => c.cell_type === 'code');
    return {{ counts: code.map(c => c.execution_count),
              errors: code.flatMap(c => c.getOutputs().filter(o => o.output_type === 'error').map(o => o.ename)) }} }}"""
BAD_MATH = "() => [...document.querySelectorAll('mjx-merror, .MathJax_Error')].map(e => e.textContent)"
LOST_PICTURES = """() => [...document.querySelectorAll('.jp-NotebookPanel img')]
    .filter(i => i.complete && !i.naturalWidth).map(i => i.src.slice(0, 80))"""
WIDE = """() => [...document.querySelectorAll('.jp-NotebookPanel .jp-OutputArea-output img')]
    .map(i => i.getBoundingClientRect().right)
    .filter(right => right > document.querySelector('.jp-NotebookPanel').getBoundingClientRect().right).length"""
HEIGHT = "() => document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer').scrollHeight"


@contextmanager
def jupyterlab(folder: Path):
    """A JupyterLab that serves `folder`, with settings of its own; yields its address and its token."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as home:
        free.bind(("127.0.0.1", 0))
        port, token = free.getsockname()[1], secrets.token_hex(16)
        for name, value in SETTINGS.items():
            file = Path(home) / "settings" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(value), encoding="utf-8")
        folders = {
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "JUPYTER_CONFIG_DIR": "config",
            "IPYTHONDIR": "ipython",
        }
        environment = os.environ | {name: str(Path(home) / part) for name, part in folders.items()}
        free.close()
        options = [
            f"--port={port}",
            f"--IdentityProvider.token={token}",
            f"--ServerApp.root_dir={folder}",
            "--ServerApp.port_retries=0",
        ]
        options += ["--no-browser", "--ip=127.0.0.1", "--allow-root", "--LabApp.expose_app_in_browser=True"]
        command = [sys.executable, "-m", "jupyterlab", *options]
        log = (Path(home) / "log").open("w")
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            for _ in range(120):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=5).close()
                    break
                except (urllib.error.URLError, ConnectionError, TimeoutError):
                    time.sleep(0.5)
            else:
                sys.exit(f"JupyterLab did not start:\n{(Path(home) / 'log').read_text()[-2000:]}")
            yield f"http://127.0.0.1:{port}", token
        finally:
            server.terminate()
            server.wait(20)
            log.close()


def visit(browser, address: str, token: str, path: str, picture: Path) -> list[str]:
    """Open, run and save the notebook at `path` of the served folder; what went wrong."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(f"{address}/lab/workspaces/{picture.stem}/tree/{path}?token={token}&reset")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
    page.wait_for_function(IDLE, timeout=60_000)
    page.evaluate(RUN_ALL)
    page.wait_for_function("() => window.__done !== null", timeout=SECONDS * 1000)
    page.wait_for_function(IDLE, timeout=60_000)
    state = page.evaluate(STATE)
    wrong = [f"{name} raised" for name in state["errors"]]
    wrong += ["a cell was not run"] * (not all(state["counts"]))
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.set_viewport_size({"width": 1100, "height": min(page.evaluate(HEIGHT) + 400, 30_000)})
    page.evaluate("() => document.querySelectorAll('.jp-WindowedPanel-outer').forEach(panel => panel.scrollTop = 0)")
    page.wait_for_timeout(1500)  # until mathematics and pictures are laid out
    wrong += [f"mathematics is not rendered: {text}" for text in page.evaluate(BAD_MATH)]
    wrong += [f"a picture is lost: {source}" for source in page.evaluate(LOST_PICTURES)]
    wrong += ["a picture is cut off at the right"] * page.evaluate(WIDE)
    page.screenshot(path=picture)
    page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    page.close()
    return wrong


def nbval(path: Path) -> list[str]:
    """What strict nbval says about the saved copy."""
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", "-q", "--tb=short", path.name]
    run = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, encoding="utf-8")
    return [] if run.returncode == 0 else [f"strict nbval fails on the saved copy:\n{run.stdout[-1500:]}"]


def chromium() -> str:
    """The Chromium of this machine; ends the program if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        sys.exit(
            "no Chromium was found: install one (Debian and Ubuntu: apt-get install chromium) or name it in CHROMIUM"
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all, the student copies too")
    parser.add_argument("--pictures", type=Path, default=None)
    args = parser.parse_args()
    from playwright.sync_api import sync_playwright

    executable = chromium()
    pictures = args.pictures or Path(tempfile.mkdtemp(prefix="notebooks-"))
    pictures.mkdir(parents=True, exist_ok=True)
    given = [path.resolve().relative_to(NOTEBOOKS) for path in args.notebooks]
    given = given or [
        path.relative_to(NOTEBOOKS)
        for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")) + sorted(NOTEBOOKS.glob("exercises/*.ipynb"))
    ]
    failures = 0
    with tempfile.TemporaryDirectory() as copies:
        work = shutil.copytree(
            NOTEBOOKS, Path(copies) / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints", "my_work")
        )
        with jupyterlab(work) as (address, token), sync_playwright() as playwright:
            flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            browser = playwright.chromium.launch(executable_path=executable, headless=True, args=flags)
            for path in given:
                start = time.perf_counter()
                name = path.as_posix().replace("/", "_").removesuffix(".ipynb")
                wrong = visit(browser, address, token, path.as_posix(), pictures / f"{name}.png")
                wrong += nbval(work / path)
                failures += bool(wrong)
                print(
                    f"{path.as_posix()}: {'; '.join(wrong) or 'all right'} ({time.perf_counter() - start:.0f} s)",
                    flush=True,
                )
            browser.close()
    print(f"{len(given) - failures} of {len(given)} notebooks are all right; screenshots: {pictures}")
    return failures


if __name__ == "__main__":
    sys.exit(main())
