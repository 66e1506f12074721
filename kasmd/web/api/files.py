"""Files: brought by /files, and a list of those that are given out, /downloads."""

from __future__ import annotations

from typing import Mapping, Optional

from kasmd.http.server import Response
from kasmd.log.audit import audited
from kasmd.rights import Right
from kasmd.web.api.operations import Call, Operation, told
from kasmd.web.api.problems import missing, unfit
from kasmd.web.api.schemas import Schema, listed, ref
from kasmd.web.api.validate import Wrong
from kasmd.web.downloads import Downloads
from kasmd.web.file_names import checked
from kasmd.web.uploads import Gone, Uploads

#: Characters of a path to list, of which a request's line holds 12 bytes each at most.
MAX_PATH = 500
_NUMBER: Mapping[str, Schema] = {"number": {
    "type": "boolean", "default": False,
    "description": "Where there is a file of this name, call this one by another: a (2).txt.",
}}
_PATH: Mapping[str, Schema] = {"path": {
    "type": "string", "maxLength": MAX_PATH, "description": "A folder below the one of downloads.",
}}


class Files:
    """What ``uploads`` takes, and what ``downloads`` has."""

    def __init__(self, uploads: Uploads, downloads: Downloads) -> None:
        self._uploads = uploads
        self._downloads = downloads

    def operations(self) -> tuple[Operation, ...]:
        """Give what is offered."""
        return (
            Operation("put_file", "PUT", "/files/{name}",
                      "Bring a file to the desktop; none is ever replaced.",
                      Right.UPLOAD, self.put, answer=ref("File"), status=201, query=_NUMBER,
                      problems=(408, 409, 413, 507), file=True),
            Operation("list_downloads", "GET", "/downloads",
                      "What /Downloads/ gives: the files of a folder, and folders.",
                      Right.DOWNLOAD, self.list, answer=listed("Download"), query=_PATH,
                      problems=(404,)),
        )

    async def put(self, call: Call) -> Optional[Response]:
        """Take the body."""
        try:
            name = checked(call.path["name"])
        except ValueError as error:
            raise unfit([Wrong("name", str(error))], "path") from None
        try:
            kept = await self._uploads.take(call.request, name, call.query.get("number", False))
        except Gone:
            return None
        audited("file", kept.name, "uploaded", "", str(kept.size))
        return told(kept._asdict(), 201)

    async def list(self, call: Call) -> Response:
        """Answer with what a folder holds."""
        path = call.query.get("path", "")
        try:
            found = await self._downloads.entries(path)
        except (OSError, ValueError):
            if path:
                raise missing("folder") from None
            # The folder of downloads itself is made by whoever has something to give.
            found = []
        if call.request.grant is not None:
            call.request.grant.require(Right.DOWNLOAD)
        return told([
            {"name": each["filename"], "folder": each["is_dir"], "size": each["size"],
             "modified": each["date_modified"]}
            for each in found
        ])
