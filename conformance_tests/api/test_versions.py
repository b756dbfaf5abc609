"""API, versions: one object, whichever of its versions it is written and read in."""

from typing import Any

from pytest_smi import KINDS, Resource, Smi, assert_accepted, assert_that, requirement

from .bodies import body_of, write_back


@requirement("API-028")
def test_reading_needs_no_status(smi: Smi, example: Resource) -> None:
    """The specification gives `status` to nobody: an object without one is taken, and reads back as written."""
    assert_accepted(smi, example)
    expected, read = body_of(smi.render(example)[0]), smi.api.get(smi.path(example))
    assert_that(smi, body_of(read) == expected, f"reads back as {expected}", body_of(read))
    smi.observe("a status", "present" if "status" in read else "absent")


@requirement("API-029")
def test_an_object_is_the_same_in_every_version(smi: Smi, example: Resource, definition: dict[str, Any]) -> None:
    """Written here, read and written back in each other version that is served, it still says the same here."""
    assert smi.kind is not None
    own = smi.api_version(smi.kind).split("/")[1]
    others = [one["name"] for one in definition["spec"]["versions"] if one["served"] and one["name"] != own]
    if not others:
        smi.lacks("conversion", f"{smi.kind} is served in {own} only")
    smi.apply(example)
    expected, path = body_of(smi.render(example)[0]), smi.path(example)
    for other in others:
        elsewhere = path.replace(own, other, 1)
        read, version = smi.api.get(elsewhere)["apiVersion"], KINDS[smi.kind].api_version(other)
        assert_that(smi, read == version, f"it reads as {version}", read)
        write_back(smi, elsewhere)
        back = body_of(smi.api.get(path))
        assert_that(smi, back == expected, f"after {other} wrote it back it reads as {expected}", back)
