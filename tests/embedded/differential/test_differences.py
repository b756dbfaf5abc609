"""Our API server answers as a real kube-apiserver does, but for what docs/api-differences.md lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.embedded.differential import listing, servers
from tests.embedded.differential.difference import differences
from tests.embedded.differential.story import stories

if TYPE_CHECKING:
    from pathlib import Path

    from tests.embedded.differential.difference import Difference


def _all_differences(folder: Path) -> list[Difference]:
    with servers.ours(folder) as player:
        return [
            one
            for story in stories()
            for one in differences(story.name, servers.recorded(story.name), servers.play(player, story))
        ]


def test_every_answer_is_that_of_the_real_server_or_its_difference_is_listed(tmp_path: Path) -> None:
    found = _all_differences(tmp_path)
    listed = listing.read(listing.PAGE.read_text(encoding="utf-8"))
    fresh = listing.unlisted(found, listed)
    assert not fresh, f"{len(fresh)} differences are not listed in {listing.PAGE.name}:\n" + "\n".join(map(str, fresh))
    gone = listing.outdated(found, listed)
    assert not gone, f"{listing.PAGE.name} lists what does not differ:\n" + "\n".join(map(str, gone))
