"""One version and one address, whatever names them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

import address
import gaputils as gu
import release

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_changelog_and_citation_name_the_version() -> None:
    number = gu.__version__
    assert release.version() == number
    newest = re.search(r"^## (\S+) – (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    cited = dict(re.findall(r"^(version|date-released): \"?([^\"\n]+)", read("CITATION.cff"), re.M))
    assert newest is not None
    assert (newest[1], cited["version"]) == (number, number)
    assert cited.get("date-released", release.UNRELEASED) == newest[2]
    assert f"Version {number}" in read("book/bibliography.md")


def test_what_zenodo_is_told_agrees_with_the_citation() -> None:
    yaml = pytest.importorskip("yaml")
    told, cited = json.loads(read(".zenodo.json")), yaml.safe_load(read("CITATION.cff"))
    assert told["title"] == cited["title"]
    assert told["license"] == cited["license"]
    assert told["keywords"] == cited["keywords"]
    assert told["description"] == f"<p>{' '.join(cited['abstract'].split())}</p>"
    assert [c["name"] for c in told["creators"]] == [a["name"] for a in cited["authors"]]
    identifiers = [x["identifier"] for x in told["related_identifiers"]]
    assert identifiers == [cited["references"][0]["identifiers"][0]["value"], cited["url"]]


def test_a_release_dates_both_once(tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text(
        "# C\n\n## 1.2.0 – unreleased\n\n## 1.1.0 – 2020-01-01\n"
    )
    (tmp_path / "CITATION.cff").write_text("title: x\nversion: 1.2.0\nlicense: MIT\n")
    release.date_files(tmp_path, "1.2.0", "2030-05-06")
    assert (
        "## 1.2.0 – 2030-05-06\n\n## 1.1.0 – 2020-01-01" in (tmp_path / "CHANGELOG.md").read_text()
    )
    wanted = 'title: x\nversion: 1.2.0\ndate-released: "2030-05-06"\nlicense: MIT\n'
    assert (tmp_path / "CITATION.cff").read_text() == wanted
    with pytest.raises(ValueError, match=r"CHANGELOG\.md: expected one heading"):
        release.date_files(tmp_path, "1.2.0", "2030-05-07")


def test_a_wheel_of_another_version_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.whl", "w") as archive:
        archive.writestr("g-1.dist-info/METADATA", "Name: g\nVersion: 1.0.0\n")
        archive.writestr("g-1.dist-info/licenses/LICENSE", "MIT")
        for name in ("py.typed", "serving.py"):
            archive.writestr(f"gaputils/{name}", "")
    release.check_wheel(tmp_path / "w.whl", "1.0.0")
    with pytest.raises(ValueError, match=r"expected version 1\.0\.1, got 1\.0\.0"):
        release.check_wheel(tmp_path / "w.whl", "1.0.1")


def test_every_file_has_the_repository_s_one_address() -> None:
    repository, documentation = address.addresses()
    assert documentation == address.site(repository)
    assert address.strays() == []
    for place in ("README.md", "CITATION.cff", "_config.yml", "notebooks/intro.ipynb"):
        assert repository in read(place), place


def test_every_notebook_installs_what_it_lacks_and_can_be_sent_elsewhere() -> None:
    wanted = f'os.environ.get("GAPUTILS_SOURCE", "git+{address.addresses()[0]}")'
    for page in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
        first = next(cell for cell in cells if cell["cell_type"] == "code")
        assert wanted in "".join(first["source"]), page.name


def test_a_fork_moves_them_all(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "CITATION.cff", "_config.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    old = address.addresses(tmp_path)
    fork = "some-one/modality-gap"
    assert address.move(fork, tmp_path) == 4
    moved = f"https://github.com/{fork}"
    assert address.addresses(tmp_path) == (moved, address.site(moved))
    assert address.strays(tmp_path) == []
    for path in address.texts(tmp_path):
        assert not any(url in path.read_text(encoding="utf-8") for url in old)
    (tmp_path / "README.md").write_text(f"{moved}/issues".replace("some-one", "other"))
    assert address.strays(tmp_path) == [f"README.md: {moved.replace('some-one', 'other')}"]
    with pytest.raises(ValueError, match="expected OWNER/NAME"):
        address.move("x; y")
