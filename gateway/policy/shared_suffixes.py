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
    "app": "firebaseapp fly glitch ngrok netlify railway replit run vercel web",
    "ngrok-free.app": "eu ap us",
    "com": "amazonaws amplifyapp appspot azurewebsites blogspot cloudfront firebaseapp force fly herokuapp myshopify "
    "myworkdayjobs netlify onrender pythonanywhere service-now sharepoint squarespace trycloudflare wixsite wordpress "
    "zendesk",
    "amazonaws.com": "s3 elb",
    "dev": "deno fly ngrok pages workers",
    "io": "github gitlab herokuapp netlify ngrok readthedocs webflow",
    "me": "glitch repl",
    "net": "azurestaticapps azurewebsites azureedge cloudapp cloudfront",
    "windows.net": "azurewebsites blob web.core blob.core",
    "salesforce.com": "my my.site",
    "site.com": "my",
    "sh": "surge now",
    "lt": "loca",
    "co": "repl",
    "page": "pages",
    "elasticbeanstalk.com": "us-east-1 us-west-2 eu-west-1 eu-central-1",
}
SHARED_SUFFIXES: Final = frozenset(
    f"{first}.{ending}"
    for table in (_REGISTRIES, _HOSTERS)
    for ending, names in table.items()
    for first in names.split()
) | {"ngrok-free.app", "elasticbeanstalk.com"}
"""Suffixes of two or more labels that no wildcard may stand directly before."""
