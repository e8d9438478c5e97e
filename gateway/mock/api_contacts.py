"""Platform operations about external contacts: make, read, look up by identifier, enrich, link to a conversation."""

from __future__ import annotations

from aiohttp import web

from gateway.mock.api_call import Call, Handler, listing, nothing, reply
from gateway.mock.api_conversations import found
from gateway.mock.model import Contact, Json
from gateway.mock.platform_error import PlatformError


def _view(contact: Contact) -> Json:
    return {
        **contact.fields,
        "id": contact.id,
        "type": "Curated",
        "division": {"id": contact.division_id},
        "identifiers": contact.identifiers,
        "selfUri": f"/api/v2/externalcontacts/contacts/{contact.id}",
    }


def _contact(call: Call) -> Contact:
    contact = call.world.contacts.get(call.params["contactId"])
    if contact is None:
        raise PlatformError("not.found")
    call.check_division(contact.division_id)
    return contact


def _same(known: Json, wanted: Json) -> bool:
    return known.get("type") == wanted.get("type") and known.get("value") == wanted.get("value")


def _checked_identifier(value: object) -> Json:
    if not isinstance(value, dict) or not isinstance(value.get("type"), str) or not isinstance(value.get("value"), str):
        raise PlatformError("constraint.validation", {"field": "identifier", "reason": "needs type and value"})
    return value


async def list_contacts(call: Call) -> web.Response:
    """`GET externalcontacts/contacts`."""
    wanted = call.request.query.get("q", "").lower()
    views = [_view(one) for one in call.world.contacts.values() if wanted in str(one.fields).lower()]
    return reply(listing(views, *call.page(), call.request.path))


async def new_contact(call: Call) -> web.Response:
    """`POST externalcontacts/contacts`."""
    contact = Contact(call.world.new_id(), fields=await call.body())
    call.world.contacts[contact.id] = contact
    return reply(_view(contact))


async def get_contact(call: Call) -> web.Response:
    """`GET externalcontacts/contacts/{contactId}`."""
    return reply(_view(_contact(call)))


async def put_contact(call: Call) -> web.Response:
    """`PUT` replaces, `PATCH` merges the fields of a contact."""
    body = await call.body()
    contact = _contact(call)
    contact.fields = body if call.operation.key.startswith("PUT ") else {**contact.fields, **body}
    return reply(_view(contact))


async def delete_contact(call: Call) -> web.Response:
    """`DELETE externalcontacts/contacts/{contactId}`."""
    del call.world.contacts[_contact(call).id]
    return nothing(200)


async def lookup(call: Call) -> web.Response:
    """`POST externalcontacts/identifierlookup/contacts`: the contact that holds the identifier, else 404."""
    contact = call.world.holder_of(_checked_identifier(await call.body()))
    if contact is None:
        raise PlatformError("not.found")
    return reply(_view(contact))


async def enrich(call: Call) -> web.Response:
    """`POST externalcontacts/contacts/enrich`: by 1 to 25 identifiers; 201 when made, 200 when changed."""
    body = await call.body()
    identifiers = body.get("matchingIdentifiers")
    if not isinstance(identifiers, list) or not 1 <= len(identifiers) <= 25:
        raise PlatformError("constraint.validation", {"field": "matchingIdentifiers", "reason": "needs 1 to 25"})
    action = body.get("action")
    if action not in ("Merge", "Upsert", "Update", "Insert"):
        allowed = "Merge, Upsert, Update, Insert"
        raise PlatformError("invalid.value", {"value": str(action)[:40], "field": "action", "allowed": allowed})
    checked = [_checked_identifier(one) for one in identifiers]
    contact = next((holder for one in checked if (holder := call.world.holder_of(one))), None)
    if contact is None and action == "Update":
        raise PlatformError("not.found")
    if contact is not None and action == "Insert":
        raise PlatformError("request.conflict", {"reason": "a contact has this identifier"})
    made = contact is None
    contact = contact or Contact(call.world.new_id())
    call.world.contacts[contact.id] = contact
    contact.fields.update(body.get("contact") or {})
    contact.identifiers += [one for one in checked if not any(_same(known, one) for known in contact.identifiers)]
    return reply(_view(contact), 201 if made else 200)


async def associate(call: Call) -> web.Response:
    """`PUT externalcontacts/conversations/{conversationId}`: link; without externalContactId, unlink."""
    body = await call.body()
    conversation = found(call)
    if body.get("conversationId") not in (None, conversation.id) or body.get("mediaType") != "MESSAGE":
        raise PlatformError("constraint.validation", {"field": "mediaType", "reason": "must be MESSAGE"})
    contact_id = body.get("externalContactId")
    if contact_id is not None and contact_id not in call.world.contacts:
        raise PlatformError("not.found")
    conversation.external_contact_id = contact_id
    return reply({})


_CONTACT = "/api/v2/externalcontacts/contacts/{contactId}"
HANDLERS: dict[str, Handler] = {
    "GET /api/v2/externalcontacts/contacts": list_contacts,
    "POST /api/v2/externalcontacts/contacts": new_contact,
    f"GET {_CONTACT}": get_contact,
    f"PUT {_CONTACT}": put_contact,
    f"PATCH {_CONTACT}": put_contact,
    f"DELETE {_CONTACT}": delete_contact,
    "POST /api/v2/externalcontacts/identifierlookup": lookup,
    "POST /api/v2/externalcontacts/identifierlookup/contacts": lookup,
    "POST /api/v2/externalcontacts/contacts/enrich": enrich,
    "PUT /api/v2/externalcontacts/conversations/{conversationId}": associate,
}
