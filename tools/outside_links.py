"""Ask for every address outside the site that a page of the built book links to.

    python tools/outside_links.py _build/html

Fails on an address that is gone (404, 410) or whose host does not exist; what is merely unwilling
to answer a program (403, 429, a time-out) is listed.
"""

from __future__ import annotations

import re
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path

LINK = re.compile(r'<a\b[^>]*\bhref="(https?://[^"#]+)')
SKIPPED = ("https://github.com/gaputils/modality-gap/edit/", "https://mybinder.org/")


def addresses(site: Path) -> dict[str, set[str]]:
    """Every outside address, with the pages that link to it."""
    found: dict[str, set[str]] = {}
    for page in site.rglob("*.html"):
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            address = unescape(link)
            if not address.startswith(SKIPPED):
                found.setdefault(address, set()).add(page.relative_to(site).as_posix())
    return found


def answer(address: str) -> str:
    """ "ok", "gone", or what else the server said."""
    asked = urllib.request.Request(address, headers={"User-Agent": "Mozilla/5.0 (link check)"})
    try:
        with urllib.request.urlopen(asked, timeout=30):
            return "ok"
    except urllib.error.HTTPError as error:
        return "gone" if error.code in (404, 410) else f"answered {error.code}"
    except urllib.error.URLError as error:
        return "gone" if "Name or service" in str(error.reason) else str(error.reason)
    except (TimeoutError, ConnectionError) as error:
        return str(error)


def main() -> int:
    """Check them all; the number of those that are gone is the exit status."""
    found = addresses(Path(sys.argv[1]))
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(found, pool.map(answer, found), strict=True))
    for address, told in sorted(answers.items()):
        if told != "ok":
            print(f"{told}: {address}  ({', '.join(sorted(found[address]))})")
    gone = sum(told == "gone" for told in answers.values())
    print(f"{len(answers)} addresses, {gone} gone")
    return min(gone, 1)


if __name__ == "__main__":
    raise SystemExit(main())
