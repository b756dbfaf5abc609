import base64
import stat
from pathlib import Path

import pytest

from pytest_smi.embedded import kubeconfig
from pytest_smi.errors import ClusterError


def test_what_is_written_is_read_back_and_only_the_owner_may_see_it(tmp_path: Path) -> None:
    path = tmp_path / "config"
    kubeconfig.write(path, name="x", server="https://127.0.0.1:6443", token="t", ca_pem="PEM")
    access = kubeconfig.read(path)
    assert (access.server, access.token, access.ca_pem, access.verify) == ("https://127.0.0.1:6443", "t", "PEM", True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_certificates_beside_the_file_are_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    (tmp_path / "token").write_text("from-file\n")
    path = tmp_path / "config"
    client = base64.b64encode(b"CERT").decode()
    path.write_text(
        "current-context: a\n"
        "contexts: [{name: a, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://k:1/', certificate-authority: ca.crt}}]\n"
        f"users: [{{name: u, user: {{tokenFile: {tmp_path}/token, client-certificate-data: {client},"
        f" client-key-data: {client}}}}}]\n"
    )
    access = kubeconfig.read(path)
    assert (access.server, access.token, access.ca_pem) == ("https://k:1", "from-file", "CA")
    assert access.client_pem == "CERT\nCERT"


@pytest.mark.parametrize("text", ["", "current-context: gone\ncontexts: []\n", "{", "[]"])
def test_a_useless_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ClusterError, match="cannot be used") as caught:
        kubeconfig.read(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="No such file"):
        kubeconfig.read(tmp_path / "none")


def test_plain_http_needs_no_tls_context() -> None:
    assert kubeconfig.Access("http://127.0.0.1:1", "", None).tls() is None
