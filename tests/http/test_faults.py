"""The table of what can go wrong at any face: complete, and each status has its own."""

from http import HTTPStatus

from kasmd.http.face import HTTPS_ONLY
from kasmd.http.faults import FAULTS, OF_STATUS
from kasmd.http.same_site import FOREIGN_PAGE


def test_every_fault_says_all():
    for word, fault in FAULTS.items():
        assert fault.word == word and HTTPStatus(fault.status)
        assert fault.title and fault.why and fault.remedy


def test_every_status_and_every_word_of_a_face_has_its_fault():
    assert all(FAULTS[word].status == status for status, word in OF_STATUS.items())
    assert {HTTPS_ONLY, FOREIGN_PAGE} <= FAULTS.keys()
