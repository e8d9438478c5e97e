"""The storage host: takes a presigned PUT, gives a presigned GET; the address is the only credential.

The PUT must repeat the headers that were given with the address. Answers are XML, as an object store's are.
"""

from __future__ import annotations

import secrets
from urllib.parse import quote

from aiohttp import hdrs, web

from gateway.mock import guest_files
from gateway.mock.guest_model import Attachment
from gateway.mock.listener import watched
from gateway.mock.world import World


def upload_app(world: World) -> web.Application:
    """Return the storage listener of a world."""
    app = web.Application(
        middlewares=[watched(world, "upload", cors=True)], client_max_size=world.sizes["upload_bytes"] + 1024
    )

    async def put(request: web.Request) -> web.Response:
        attachment = _signed(world, request, "upload")
        if attachment is None or attachment.state != "presigned":
            return _denied("AccessDenied")
        if request.headers.get("x-amz-tagging") != guest_files.upload_tag(world, attachment):
            return _denied("SignatureDoesNotMatch")
        if request.content_type != attachment.file_type:
            return _denied("SignatureDoesNotMatch")
        await guest_files.uploaded(world, attachment, await request.read())
        return web.Response(status=200)

    async def get(request: web.Request) -> web.Response:
        attachment = _signed(world, request, "download")
        if attachment is None or attachment.state not in ("uploaded", "sent"):
            return _denied("AccessDenied")
        disposition = f"attachment; filename*=UTF-8''{quote(attachment.file_name)}"
        headers = {hdrs.CONTENT_DISPOSITION: disposition, "X-Content-Type-Options": "nosniff"}
        return web.Response(body=attachment.content, content_type=attachment.file_type, headers=headers)

    app.router.add_put("/upload/{attachment_id}", put)
    app.router.add_get("/download/{attachment_id}", get)
    return app


def _signed(world: World, request: web.Request, way: str) -> Attachment | None:
    """Return the attachment when the address is one of ours, for this way and not over."""
    if hdrs.AUTHORIZATION in request.headers:
        return None  # the address is the credential; a bearer beside it is refused, as the object store does
    expires = request.query.get("expires", "")
    if not expires.isdigit() or world.now() >= int(expires):
        return None
    attachment_id = request.match_info["attachment_id"]
    expected = guest_files.signature_of(world, way, attachment_id, int(expires))
    if not secrets.compare_digest(expected.encode(), request.query.get("signature", "").encode()):
        return None
    return world.attachments.get(attachment_id)


def _denied(code: str) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code></Error>'
    return web.Response(status=403, text=text, content_type="application/xml")
