"""Suffixes under which strangers register names: a wildcard origin below one would admit anybody.

The well-known part of the Public Suffix List (https://publicsuffix.org) and the hosters that widgets are seen on. The
rule: it guards against a slip in the configuration; every single-label suffix is refused without standing here.
"""

from __future__ import annotations

from typing import Final

_REGISTRIES: Final[dict[str, str]] = {
    "uk": "ac co gov ltd me net org plc sch",
    "au": "asn com edu gov id net org",
    "nz": "ac co geek govt net org school",
    "za": "ac co gov net org web",
    "jp": "ac ad co ed go gr lg ne or",
    "kr": "ac co go ne or pe re",
    "in": "ac co edu firm gen gov ind net org",
    "br": "com edu gov net org blog ind",
    "cn": "ac com edu gov net org",
    "mx": "com edu gob net org",
    "ar": "com edu gob net org",
    "tr": "com edu gov net org web",
    "tw": "com edu gov net org",
    "hk": "com edu gov net org",
    "sg": "com edu gov net org",
    "my": "com edu gov net org",
    "ua": "com edu gov net org kiev",
    "pl": "com edu gov net org waw",
    "il": "ac co gov net org",
    "id": "ac co go net or web",
    "th": "ac co go in net or",
    "at": "ac co gv or",
    "co": "com edu gov net org",
    "ph": "com edu gov net org",
    "vn": "com edu gov net org",
    "eg": "com edu gov net org",
}
_HOSTERS: Final[dict[str, str]] = {
    "app": "netlify ngrok ngrok-free replit run vercel web",
    "com": "amazonaws amplifyapp appspot blogspot elasticbeanstalk firebaseapp force herokuapp myshopify onrender "
    "pythonanywhere service-now sharepoint trycloudflare wixsite wordpress zendesk",
    "amazonaws.com": "s3",
    "dev": "deno fly ngrok pages workers",
    "io": "github gitlab ngrok readthedocs webflow",
    "me": "glitch",
    "net": "azurestaticapps azurewebsites azureedge cloudapp cloudfront",
    "windows.net": "blob.core web.core",
    "site.com": "my",
    "salesforce.com": "my",
    "sh": "now surge",
    "lt": "loca",
    "co": "repl",
}
SHARED_SUFFIXES: Final = frozenset(
    f"{first}.{ending}"
    for table in (_REGISTRIES, _HOSTERS)
    for ending, names in table.items()
    for first in names.split()
)
"""Suffixes of two or more labels that no wildcard may stand directly before."""
