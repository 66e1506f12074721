"""Where the owner API is deliberately not as KasmVNC 1.5.1's: the table, and its page.

``python -m kasmd.web.kasmvnc_differences > docs/kasmvnc-api.rst`` writes the page.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple


class Difference(NamedTuple):
    """What KasmVNC does, what kasmd does instead, and why."""

    where: str
    kasmvnc: str
    kasmd: str
    why: str


DIFFERENCES = (
    Difference(
        "every address",
        "``/api/`` anywhere in the text of a request makes it one of the API's.",
        "Only where the path begins with it.",
        "A Referer is no path.",
    ),
    Difference(
        "every address",
        "A method that an address does not have gets 404.",
        "405 and what it allows, for methods other than GET and POST; HEAD works where nothing"
        " is changed.",
        "RFC 9110.",
    ),
    Difference(
        "every address",
        "Every connection is closed; some answers have no length; ``Server: KasmVNC/4.0``.",
        "Connections stay open; every answer has its length; ``Server: kasmd``.",
        "A caller that makes many calls needs one TLS handshake.",
    ),
    Difference(
        "every address",
        "The white space in JSON is KasmVNC's own; strings are sent raw, escaped in part.",
        "JSON in ASCII, everything else escaped (RFC 8259).",
        "It is valid whatever is in a name, and the same in every charset.",
    ),
    Difference(
        "/api/v1",
        "Nothing is there: 401 for one who is no owner, as everywhere below ``/api/``, and 404"
        " for an owner.",
        "Our own API (api.rst), where one who is known and may not gets 403.  At KasmVNC's own"
        " addresses, and at those that neither has, the 401 is KasmVNC's to the letter.",
        "401 asks who somebody is; existing callers wait for it, and none asks there.",
    ),
    Difference(
        "logging in",
        "A wrong password gets ``401 Forbidden`` without WWW-Authenticate; five of them, or five"
        " requests without a password, lock an address out.",
        "401 with WWW-Authenticate, 429 with Retry-After while locked out; requests without"
        " credentials do not count, and a success resets the count.",
        "Browsers ask again instead of showing a blank page.",
    ),
    Difference(
        "every query",
        "Keys are compared by their beginning (``namesake=`` is ``name=``); an escape that is"
        " none, or is not UTF-8, is taken as it comes.",
        "Keys are compared whole; a bad escape or what is not UTF-8 gets 400 and why.",
        "What is not understood is not done.",
    ),
    Difference(
        "every query",
        "Numbers wrap: a width at 65536, a quality at 256.",
        "They do not: a width beyond the screen's is the screen's, a quality above 9 gets 400.",
        "A quality of 257 is none.",
    ),
    Difference(
        "create_user, update_user, remove_user, send_full_frame, clear_clipboard",
        "Any page on the web can have an owner's browser ask for it.",
        "403 for what a browser says another site asked for (Sec-Fetch-Site, Origin).",
        "Cross-site request forgery.",
    ),
    Difference(
        "create_user, update_user, remove_user",
        "The last owner can be removed, or lose ``owner``.",
        "409, unless ``force=true`` is in the query (of a POST too, where it is the only key"
        " allowed).",
        "Nobody could undo it.",
    ),
    Difference(
        "create_user, update_user, remove_user",
        "Writes the file while another program does; one of the two changes is lost.",
        "503 with Retry-After where another program keeps the file to itself for longer than it"
        " takes to write.",
        "What is answered with 200 stays.",
    ),
    Difference(
        "create_user, update_user",
        "A name may hold colons and line breaks, which write other lines of the file.",
        "A name is 1 to 127 bytes of UTF-8 without a colon, control characters or line breaks;"
        " else 400, and the body says so.",
        "Nobody is made an owner by a line break.",
    ),
    Difference(
        "POST",
        "A body counts as far as it came with the head, up to 16 KiB; an array is applied up to"
        " its first mistake.",
        "A body is read by its length, or in chunks, up to 1 MiB, then 413; an array is applied"
        " whole or not at all.",
        "What is half done is known to nobody.",
    ),
    Difference(
        "update_user",
        "``read=false`` leaves a user who may write, and so sees all the same.",
        "``read=false`` ends writing too, unless ``write=true`` comes with it.",
        "After the answer the user sees nothing more.",
    ),
    Difference(
        "get_users",
        "One who may write but has no ``r`` is listed with ``read`` false; long names are cut.",
        "Listed with ``read`` true, for to write is to read; ``write`` is true also of one who"
        " may do a part of it; names are whole.",
        "What is listed is what is.",
    ),
    Difference(
        "get_screenshot",
        "The picture is up to a minute old.",
        "It is of now; 503 where the display does not answer in 5 seconds.",
        "That is what a screenshot is.",
    ),
    Difference(
        "get_screenshot",
        "Now and then it shows what ``data_loss_prevention.visible_region`` conceals, and never"
        " the watermark.",
        "It shows what a viewer is shown: the watermark, and black for what is concealed.",
        "What may not be seen may not be seen in any way.",
    ),
    Difference(
        "get_screenshot",
        "``deduplicate`` gives XXH64 of the picture in up to 16 hex digits, and what was in the"
        " buffer.",
        "16 hex digits, zero-padded, of BLAKE2b over the size and the picture.",
        "Callers compare digests with digests; BLAKE2b is in Python.",
    ),
    Difference(
        "get_screenshot, get_frame_stats",
        "As many at once as come; or 400 while another is measured.",
        "Several at once, in order; 503 with Retry-After when more than 8 wait.",
        "Each holds a picture in memory.",
    ),
    Difference(
        "get_sessions",
        "Forgets the last one to leave only when another comes; names are not escaped.",
        "Always who is connected now.",
        "It is asked for that.",
    ),
    Difference(
        "get_bottleneck_stats",
        "May say ``nan``, and less than 0.",
        "10.0 before the first frame, and never less than 0.",
        "JSON has no nan.",
    ),
    Difference(
        "get_frame_stats",
        "Waits for the screen to change, then measures that frame; 503 on a still screen.",
        "Measures a full frame of the screen as it is, made for it, so ``changed`` is 100;"
        " asks the clients that know the question, with a full frame of their own.",
        "It works on a still screen, and disturbs nobody else.",
    ),
    Difference(
        "downloads",
        "``..`` at the end, and symbolic links, leave the folder.",
        "No step of a path may be ``..`` or a symbolic link; at most 20000 entries are listed.",
        "The folder is what the owner of the desktop shares.",
    ),
    Difference(
        "/Downloads/",
        "Files that the web root happens to hold there, for everyone who may log in.",
        "The files of the folder, for those who may download (all who may write), always as"
        " attachments.",
        "A mere viewer takes no files, and no file runs as a page of the site.",
    ),
    Difference(
        "system/stats",
        "An empty body before the first second is over.",
        "The first caller waits for a tenth of a second; nothing is sampled unasked.",
        "It is always valid JSON.",
    ),
)

_HEAD = """\
KasmVNC's owner API
===================

Programs that drive KasmVNC 1.5.1 over ``/api/`` can be pointed at kasmd as they
are: addresses, parameters, defaults, status codes, content types, texts and the
shapes of JSON are KasmVNC's.  One who is logged in and no owner gets KasmVNC's 401.
On purpose it is otherwise in this, and in nothing else:

.. This page is written by kasmd/web/kasmvnc_differences.py, which is the table.

.. list-table::
   :header-rows: 1
   :widths: 15 30 35 20

   * - Where
     - KasmVNC
     - kasmd
     - Why
"""


def page() -> str:
    """Give the page for people, in reStructuredText."""
    rows = [_row(difference) for difference in DIFFERENCES]
    return _HEAD + "".join(rows)


def _row(difference: Difference) -> str:
    marks = ["   * - "] + ["     - "] * (len(difference) - 1)
    return "".join(
        textwrap.fill(cell, 98, initial_indent=mark, subsequent_indent=" " * 7) + "\n"
        for mark, cell in zip(marks, difference)
    )


if __name__ == "__main__":
    print(page(), end="")
