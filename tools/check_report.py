"""Look at a report in a real browser: python tools/check_report.py report/report.html [FOLDER]

Needs Chromium (Debian: apt install chromium); without one it says so and leaves with exit status 3. The page is
rendered wide, narrow (420 pixels), in dark mode and as PDF, into FOLDER (default: check_report) to be looked at.
Leaves with exit status 1 if the console says anything, something is asked of a network, or the page is wider than the
window; 0 otherwise.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LIMIT = 120  # seconds for one start of the browser
VIEWS = {
    "wide": ["--window-size=1280,2400"],
    "narrow": ["--window-size=420,2400"],
    "dark": ["--window-size=1280,2400", "--force-dark-mode", "--blink-settings=preferredColorScheme=0"],
}
WIDTHS = (1280, 768, 500)  # of windows, pixels; no window is narrower
# A frame's page may not be read from outside, so that a copy of the page measures itself.
PROBE = "<script>document.title = document.documentElement.scrollWidth + ' of ' + innerWidth</script></body>"


def main(page: Path, folder: Path) -> int:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        print("no Chromium here: the page was NOT looked at (Debian: apt install chromium)")
        return 3
    folder.mkdir(parents=True, exist_ok=True)
    faults = []
    for name, options in VIEWS.items():
        said = start(browser, page, *options, f"--screenshot={(folder / f'{name}.png').resolve()}")
        faults += [f"{name}: {line}" for line in said.splitlines() if "CONSOLE" in line]
    start(browser, page, "--no-pdf-header-footer", f"--print-to-pdf={(folder / 'print.pdf').resolve()}")
    faults += references(page) + overflows(browser, page)
    missing = [name for name in ("wide.png", "narrow.png", "dark.png", "print.pdf") if not (folder / name).exists()]
    faults += [f"{name} was not written" for name in missing]
    print("\n".join(faults) if faults else f"no fault found; look at {folder}: {', '.join(VIEWS)} (.png), print.pdf")
    return 1 if faults else 0


def references(page: Path) -> list[str]:
    """What the page would load or lead to elsewhere."""
    found = re.findall(r'\b(?:src|href|srcset|action)="([^"]{0,80})', page.read_text(encoding="utf-8"))
    return [
        f"refers to {name}"
        for name in found
        if not name.startswith(("#", "data:image/png;base64,", "data:image/svg+xml;base64,"))
    ]


def overflows(browser: str, page: Path) -> list[str]:
    """At which widths of the window the page itself, not a table in its box, is wider."""
    text = (
        page.read_text(encoding="utf-8").replace("default-src 'none';", "").replace("default-src &#x27;none&#x27;;", "")
    )
    faults = []
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy.html"
        copy.write_text(text.replace("</body>", PROBE), encoding="utf-8")
        for width in WIDTHS:
            said = start(browser, copy, f"--window-size={width},1000", "--dump-dom")
            measured = re.search(r"<title>(\d+) of (\d+)</title>", said)
            if measured is None:
                faults.append(f"the width at {width} pixels could not be measured")
            elif int(measured[1]) > int(measured[2]):
                faults.append(f"the page is {measured[1]} pixels wide in a window of {measured[2]}")
    return faults


def start(browser: str, page: Path, *options: str) -> str:
    """Open `page` in a browser without a window, and return all that it said."""
    with tempfile.TemporaryDirectory() as profile:
        fixed = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        command = [browser, *fixed, "--enable-logging=stderr", "--v=0", *options, page.resolve().as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    return done.stdout + done.stderr


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) == 3 else "check_report")))
