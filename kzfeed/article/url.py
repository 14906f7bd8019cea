"""Article URLs: the address that a link means, its canonical form, and the hash that identifies an article.

No function raises, whatever the string, and none uses the network.
"""

import hashlib
import re

from ada_url import join_url, normalize_url

from kzfeed.article.strings import well_formed
from kzfeed.hosts import DEFAULT_PORTS

URL_HASH = re.compile("[0-9a-f]{64}")
_C0_CONTROL_OR_SPACE = "".join(map(chr, range(0x21)))
_DEFAULT_PORTS = {f":{DEFAULT_PORTS[scheme]}" for scheme in ("http", "https")}

# An http(s) URL as the standard writes it; brackets stand around IPv6 only.
_PARTS = re.compile(r"https?://([^/@]*@)?(\[[^]]*\]|[^:/]*)(:[0-9]+)?(/[^?#]*)(?:\?([^#]*))?(?:#(.*))?")

# --- parameters that say how a reader came, never what the page shows -------------------------------------------------
# A name belongs here only if no site is known to choose content by it: `id`, `ref`, `source`, `from`, `cid` stay out.

_TRACKING_PREFIXES = (
    "utm_",  # Urchin, Google Analytics and everyone after them
    "mtm_",  # Matomo
    "pk_",  # Matomo, when it was Piwik
)
_TRACKING = frozenset(
    {
        # click identifiers of advertisers
        *("gclid", "gclsrc", "dclid", "gbraid", "wbraid", "gad_source", "gad_campaignid", "srsltid"),  # Google
        *("fbclid", "fb_action_ids", "fb_action_types", "igsh", "igshid"),  # Facebook, Instagram
        *("msclkid", "yclid", "ysclid", "twclid", "ttclid", "li_fat_id", "epik", "irclickid", "rb_clickid"),
        # analytics
        *("_ga", "_gl"),  # Google Analytics across domains
        *("at_medium", "at_campaign", "at_campaign_type", "at_creation", "at_format", "at_link_id", "at_link_origin"),
        *("at_link_type", "at_objective", "at_ptr_name", "at_ptr_type", "at_bbc_team", "at_variant", "at_audience_id"),
        *("at_custom1", "at_custom2", "at_custom3", "at_custom4", "xtor"),  # AT Internet: BBC, RFI, France 24
        *("ns_mchannel", "ns_source", "ns_campaign", "ns_linkname", "ns_fee"),  # comScore: BBC before that
        *("hmsr", "hmpl", "hmcu", "hmkw", "hmci"),  # Baidu
        *("ocid", "spm", "wt.mc_id"),  # Microsoft and BBC; Alibaba; Webtrends
        # mailings
        *("mc_cid", "mc_eid"),  # Mailchimp
        *("_hsenc", "_hsmi", "__hssc", "__hstc", "__hsfp", "hsctatracking"),  # HubSpot
        *("mkt_tok", "vero_id", "vero_conv", "oly_anon_id", "oly_enc_id"),  # Marketo, Vero, Omeda
    }
)

# A stray "%" before an escape must not find its digits in it: "%%34%31" would become "%%41", then "%A".
_ESCAPE = re.compile(r"(%[0-9A-Fa-f]?)?%([0-9A-Fa-f]{2})")
# Escapes of lower-case digits, and of what needs none.
_MAY_CHANGE = re.compile("%(?:[0-9A-F]?[a-f]|2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # RFC 3986 §2.3


def href(link: str, base: str | None = None) -> str | None:
    """The address that a link means, as `new URL(link, base).href` writes it (WHATWG URL Standard).

    None for a blank link, for which the standard would give the base, and for any address that is not http(s). An
    absolute link is resolved even if `base` is not a URL.
    """
    if not link.strip(_C0_CONTROL_OR_SPACE):
        return None
    link = well_formed(link)
    try:
        # A base means nothing to a link that has a scheme and a host.
        if base is None or link.startswith(("https://", "http://")):
            address = normalize_url(link)
        else:
            address = join_url(well_formed(base), link)
    except ValueError:
        return None if base is None else href(link)
    return address if address.startswith(("https://", "http://")) else None


def canonical(url: str) -> str:
    """The canonical URL (docs/archive-format.md, "Identity"), for comparing only. Idempotent.

    It is written with https and without port 80 or 443, because http and https count as one scheme. Any text that is
    not an http(s) URL is only stripped.
    """
    address = href(url)
    if address is None:
        return url.strip()
    [(userinfo, host, port, path, query, fragment)] = _PARTS.findall(address)
    if port in _DEFAULT_PORTS:
        port = ""
    if host.endswith("."):
        host = _without_final_dot(host)
    if query:
        query = "&".join([part for part in _normalised(query).split("&") if not _is_tracking(part)])
    return (
        f"https://{userinfo}{host}{port}{_normalised(path)}"
        + (f"?{query}" if query else "")
        + (f"#{_normalised(fragment)}" if fragment.startswith(("!", "/")) else "")
    )


def url_hash(url: str, guid: str | None = None) -> str:
    """The identity of an article: the SHA-256 of its canonical URL, joined by its guid where one is given."""
    return canonical_hash(canonical(url), guid)


def canonical_hash(address: str, guid: str | None = None) -> str:
    """The `url_hash` of a URL that is canonical already."""
    return _sha256(address if guid is None else f"{address}\n{guid}")


def identity_hash(*parts: str) -> str:
    """The identity of an article without a link, from a kind of evidence and the evidence: `("guid", guid)`.

    Never the hash of a URL: no canonical URL begins with a space.
    """
    return _sha256(" entry " + "".join(f"{len(part)}:{part}" for part in parts))


def _without_final_dot(host: str) -> str:
    # Without its dots a host may read as an IPv4 address: "0x7f.." is a name, "0x7f" is 0.0.0.127.
    address = href(f"https://{host.rstrip('.')}/")
    return _PARTS.findall(address)[0][1] if address else host


def _is_tracking(parameter: str) -> bool:
    name = parameter.partition("=")[0].lower()
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES)


def _normalised(text: str) -> str:
    return _ESCAPE.sub(_normalised_escape, text) if _MAY_CHANGE.search(text) else text


def _normalised_escape(escape: re.Match[str]) -> str:
    stray, digits = escape.groups(default="")
    character = chr(int(digits, 16))
    return character if not stray and character in _UNRESERVED else f"{stray}%{digits.upper()}"


def _sha256(text: str) -> str:
    return hashlib.sha256(well_formed(text).encode()).hexdigest()
