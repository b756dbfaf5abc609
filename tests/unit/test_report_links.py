from __future__ import annotations

import pytest

from pytest_smi.report.links import spec_url


def test_an_api_version_leads_to_its_document() -> None:
    assert spec_url("split-v1alpha2") == (
        "https://github.com/servicemeshinterface/smi-spec/blob/main/apis/traffic-split/v1alpha2/traffic-split.md"
    )


@pytest.mark.parametrize("api", ["cross", "api-v1", "", "split"])
def test_what_is_no_document_has_no_link(api: str) -> None:
    assert spec_url(api) is None
