"""The images install what pyproject.toml asks for, in locked versions with hashes."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = {"api": ["s3"], "worker": ["s3", "worker", "torchvision", "pretrained"]}
ENVIRONMENT = {"python_version": "3.12", "sys_platform": "linux", "platform_machine": "x86_64"}


def _wanted(part: str) -> list[Requirement]:
    if part == "build":
        return [Requirement(text) for text in PROJECT["build-system"]["requires"]]
    project = PROJECT["project"]
    extras = [text for name in EXTRAS[part] for text in project["optional-dependencies"][name]]
    return [Requirement(text) for text in [*project["dependencies"], *extras]]


def _entries(part: str) -> list[str]:
    """Split a lock file into its requirements, each with its hashes."""
    text = (ROOT / "docker" / f"{part}.lock").read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [entry for entry in re.split(r"\n(?=\S)", lines.strip()) if entry]


def _locked(part: str) -> dict[str, str]:
    """Return the version of each package that a container would install."""
    versions: dict[str, str] = {}
    for entry in _entries(part):
        requirement = Requirement(entry.split("\\")[0].strip())
        if requirement.marker is None or requirement.marker.evaluate(ENVIRONMENT):
            [version] = requirement.specifier
            assert version.operator == "=="
            versions[canonicalize_name(requirement.name)] = version.version
    return versions


@pytest.mark.parametrize("part", ["api", "worker", "build"])
class TestLock:
    def test_has_all_that_is_asked_for_in_a_version_that_fits(self, part: str) -> None:
        locked = _locked(part)
        for requirement in _wanted(part):
            name = canonicalize_name(requirement.name)
            assert name in locked, f"{name}: run `make lock`"
            fits = requirement.specifier.contains(locked[name], prereleases=True)
            assert fits, f"{name} {locked[name]} is not {requirement.specifier}: run `make lock`"

    def test_has_hashes_of_everything(self, part: str) -> None:
        for entry in _entries(part):
            hashes = re.findall(r"--hash=(\w+):([0-9a-f]*)", entry)
            assert hashes, entry
            assert {kind for kind, _ in hashes} == {"sha256"}
            assert {len(digest) for _, digest in hashes} == {64}

    def test_names_no_place_to_load_from(self, part: str) -> None:
        text = (ROOT / "docker" / f"{part}.lock").read_text()
        assert not re.search(r"https?://|file://|index-url|find-links", text)


def test_torch_stays_out_of_the_api() -> None:
    assert not {name for name in _locked("api") if name.startswith(("torch", "nvidia", "numpy"))}


def test_only_locked_packages_are_installed() -> None:
    text = (ROOT / "docker" / "install.sh").read_text()
    installs = [line for line in text.replace("\\\n", "").splitlines() if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
