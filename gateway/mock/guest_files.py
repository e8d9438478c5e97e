"""Files of guests: presigned addresses over the socket, the bytes over the upload host, the events that follow.

An address is signed by the world's key, names one attachment and one direction, and ends by the world's clock.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import PurePosixPath

from gateway.mock.clock import iso_time
from gateway.mock.guest_frames import GuestError, UploadRefused, answer
from gateway.mock.guest_model import Attachment, GuestSession
from gateway.mock.model import Deployment, Json
from gateway.mock.world import World


def announce(world: World, session: GuestSession, deployment: Deployment, frame: Json) -> Json:
    """Return the body of PresignedUrlResponse for an upload; raises UploadRefused with the real code."""
    code = _fault_of(world, deployment, frame)
    if code is not None:
        if frame.get("errorsAsJson") is True:
            raise UploadRefused(code, frame["attachmentId"], iso_time(world.now()))
        raise GuestError(code)
    now = world.now()
    attachment = Attachment(
        id=frame["attachmentId"],
        session_id=session.id,
        file_name=frame["fileName"],
        file_type=frame["fileType"],
        file_size=frame.get("fileSize"),
        file_md5=frame.get("fileMd5"),
        url_expires_at=now + world.sizes["upload_url_s"],
        expires_at=now + world.sizes["attachment_s"],
    )
    known = world.attachments.get(attachment.id)
    if known is not None and known.session_id != session.id:
        raise GuestError(4009)
    world.attachments[attachment.id] = attachment
    return {
        "attachmentId": attachment.id,
        "url": signed_url(world, "upload", attachment),
        "headers": {"x-amz-tagging": upload_tag(world, attachment)},
        "fileName": attachment.file_name,
        "fileType": attachment.file_type,
    }


def _fault_of(world: World, deployment: Deployment, frame: Json) -> int | None:
    name, size = frame["fileName"], frame.get("fileSize")
    extension = PurePosixPath(name).suffix.lower()
    checks = (
        (not deployment.uploads, 4000),
        (len(name) >= world.sizes["file_name_chars"], 4005),
        (not extension or "/" in name or "\\" in name, 4004),
        (extension in deployment.blocked_extensions or frame["fileType"] not in deployment.file_types, 4001),
        (size == 0, 4102),
        (isinstance(size, int) and size > world.sizes["upload_bytes"], 4002),
    )
    return next((code for failed, code in checks if failed), None)


def download(world: World, session: GuestSession, attachment_id: str) -> Json:
    """Return the body of PresignedUrlResponse for a download; raises GuestError 4009 or 4010."""
    attachment = _own(world, session, attachment_id)
    if attachment.state == "presigned":
        raise GuestError(4010)
    attachment.url_expires_at = world.now() + world.sizes["upload_url_s"]
    return {
        "attachmentId": attachment.id,
        "url": signed_url(world, "download", attachment),
        "fileName": attachment.file_name,
        "fileType": attachment.file_type,
        "fileSize": len(attachment.content),
    }


def delete(world: World, session: GuestSession, attachment_id: str) -> Json:
    """Forget a file that was not sent yet; returns the body of AttachmentDeletedResponse."""
    attachment = _own(world, session, attachment_id)
    if attachment.state == "sent":
        raise GuestError(400, "the file has been sent")
    attachment.state, attachment.content = "deleted", b""
    return {"attachmentId": attachment.id}


def _own(world: World, session: GuestSession, attachment_id: str) -> Attachment:
    attachment = world.attachments.get(attachment_id)
    if attachment is None or attachment.session_id != session.id or attachment.state in ("deleted", "failed"):
        raise GuestError(4009)
    return attachment


def upload_tag(world: World, attachment: Attachment) -> str:
    """Return the tag header that the PUT must repeat."""
    return f"organizationId={world.org_id}&originalFileName={attachment.file_name}"


def signed_url(world: World, way: str, attachment: Attachment) -> str:
    """Return the address of an upload or download; whoever has it may use it until it ends."""
    expires = int(attachment.url_expires_at)
    signature = signature_of(world, way, attachment.id, expires)
    return f"{world.endpoints.upload}/{way}/{attachment.id}?expires={expires}&signature={signature}"


def signature_of(world: World, way: str, attachment_id: str, expires: int) -> str:
    """Return the signature of an address."""
    message = f"{way}\n{attachment_id}\n{expires}".encode()
    return hmac.new(world.jwt_key, message, hashlib.sha256).hexdigest()


async def uploaded(world: World, attachment: Attachment, content: bytes) -> int | None:
    """Take the bytes of an upload, tell the guest, and return the failure code, None for success."""
    code = _content_fault(world, attachment, content)
    session = world.sessions.get(attachment.session_id)
    timestamp = iso_time(world.now())
    if code is not None:
        attachment.state = "failed"
        error = GuestError(code)
        body = {"attachmentId": attachment.id, "errorCode": code, "errorMessage": error.text, "timestamp": timestamp}
        frame = answer("UploadFailureEvent", body, pushed=True)
    else:
        attachment.state, attachment.content = "uploaded", content
        attachment.url_expires_at = world.now() + world.sizes["upload_url_s"]
        url = signed_url(world, "download", attachment)
        body = {"attachmentId": attachment.id, "downloadUrl": url, "timestamp": timestamp}
        frame = answer("UploadSuccessEvent", body, pushed=True)
    for connection in list(session.connections) if session else []:
        await connection.send(frame)
    return code


def _content_fault(world: World, attachment: Attachment, content: bytes) -> int | None:
    if not content:
        return 4102
    if len(content) > world.sizes["upload_bytes"]:
        return 4002
    if attachment.file_size is not None and attachment.file_size != len(content):
        return 4002
    # Executables are refused by their content, whatever their name says.
    if content.startswith((b"MZ", b"\x7fELF")):
        return 4003
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return 4003 if attachment.file_md5 not in (None, digest) else None
