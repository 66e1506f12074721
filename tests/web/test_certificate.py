"""The certificate made at the first start."""

import datetime
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from kasmd.errors import ConfigError
from kasmd.web.certificate import LIFETIME, RENEWAL, self_signed

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)


def test_it_is_for_this_machine_and_private(tmp_path: Path) -> None:
    path = self_signed(tmp_path, NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert {str(a) for a in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)


def test_it_is_kept_while_it_is_good(tmp_path: Path) -> None:
    first = self_signed(tmp_path, NOW).read_bytes()
    assert self_signed(tmp_path, NOW + LIFETIME - 2 * RENEWAL).read_bytes() == first


@pytest.mark.parametrize("later", [LIFETIME - RENEWAL / 2, 2 * LIFETIME, -RENEWAL])
def test_it_is_replaced_before_it_ends(tmp_path: Path, later: datetime.timedelta) -> None:
    first = self_signed(tmp_path, NOW).read_bytes()
    assert self_signed(tmp_path, NOW + later).read_bytes() != first


def test_its_key_stays_for_those_who_pinned_it(tmp_path: Path) -> None:
    def key() -> CertificatePublicKeyTypes:
        return x509.load_pem_x509_certificate(path.read_bytes()).public_key()

    path = self_signed(tmp_path, NOW)
    first = key()
    self_signed(tmp_path, NOW + LIFETIME)
    assert key() == first


def test_a_damaged_one_is_replaced(tmp_path: Path) -> None:
    path = self_signed(tmp_path, NOW)
    for damage in (b"", b"junk", path.read_bytes()[:300]):
        path.write_bytes(damage)
        assert b"PRIVATE KEY" in self_signed(tmp_path, NOW).read_bytes()


def test_an_impossible_place_is_named(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(ConfigError, match="file/self-signed.pem"):
        self_signed(place, NOW)
