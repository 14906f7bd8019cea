"""Names as an XML parser with namespaces gives them come in; the names that feedparser knows them by go out.

feedparser puts a prefix of its own to what is in a namespace it knows, whatever the document's prefix for it, and
whether the document means that namespace or only uses its prefix. `media:content` is such a name, `item` another.
"""

from collections.abc import Mapping

_SPACES_OF = {
    "": (
        "",
        "http://backend.userland.com/rss",
        "http://blogs.law.harvard.edu/tech/rss",
        "http://example.com/necho",
        "http://example.com/newformat#",
        "http://my.netscape.com/rdf/simple/0.9/",
        "http://purl.org/atom/ns#",
        "http://purl.org/echo/",
        "http://purl.org/pie/",
        "http://purl.org/rss/1.0/",
        "http://purl.org/rss/1.0/modules/rss091#",
        "http://www.w3.org/2005/atom",
        "uri/of/echo/namespace#",
    ),
    "admin": ("http://webns.net/mvcb/",),
    "ag": ("http://purl.org/rss/1.0/modules/aggregation/",),
    "annotate": ("http://purl.org/rss/1.0/modules/annotate/",),
    "audio": ("http://media.tangent.org/rss/1.0/",),
    "blogChannel": ("http://backend.userland.com/blogchannelmodule",),
    "cc": ("http://creativecommons.org/ns#license", "http://web.resource.org/cc/"),
    "co": ("http://purl.org/rss/1.0/modules/company",),
    "content": ("http://purl.org/rss/1.0/modules/content/",),
    "cp": ("http://my.theinfo.org/changed/1.0/rss/",),
    "creativeCommons": (
        "http://backend.userland.com/creativecommonsrssmodule",
        "http://cyber.law.harvard.edu/rss/creativecommonsrssmodule.html",
    ),
    "dc": ("http://purl.org/dc/elements/1.1/",),
    "dcterms": ("http://purl.org/dc/terms/",),
    "email": ("http://purl.org/rss/1.0/modules/email/",),
    "ev": ("http://purl.org/rss/1.0/modules/event/",),
    "feedburner": ("http://rssnamespace.org/feedburner/ext/1.0",),
    "fm": ("http://freshmeat.net/rss/fm/",),
    "foaf": ("http://xmlns.com/foaf/0.1/",),
    "geo": ("http://www.w3.org/2003/01/geo/wgs84_pos#",),
    "georss": ("http://www.georss.org/georss",),
    "gml": ("http://www.opengis.net/gml",),
    "icbm": ("http://postneo.com/icbm/",),
    "image": ("http://purl.org/rss/1.0/modules/image/",),
    "itunes": ("http://www.itunes.com/dtds/podcast-1.0.dtd", "http://example.com/dtds/podcast-1.0.dtd"),
    "l": ("http://purl.org/rss/1.0/modules/link/",),
    "media": ("http://search.yahoo.com/mrss", "http://search.yahoo.com/mrss/"),
    "pingback": ("http://madskills.com/public/xml/rss/module/pingback/",),
    "prism": ("http://prismstandard.org/namespaces/1.2/basic/",),
    "psc": ("http://podlove.org/simple-chapters",),
    "rdf": ("http://www.w3.org/1999/02/22-rdf-syntax-ns#",),
    "rdfs": ("http://www.w3.org/2000/01/rdf-schema#",),
    "ref": ("http://purl.org/rss/1.0/modules/reference/",),
    "reqv": ("http://purl.org/rss/1.0/modules/richequiv/",),
    "search": ("http://purl.org/rss/1.0/modules/search/",),
    "slash": ("http://purl.org/rss/1.0/modules/slash/",),
    "soap": ("http://schemas.xmlsoap.org/soap/envelope/",),
    "ss": ("http://purl.org/rss/1.0/modules/servicestatus/",),
    "str": ("http://hacks.benhammersley.com/rss/streaming/",),
    "sub": ("http://purl.org/rss/1.0/modules/subscription/",),
    "sy": ("http://purl.org/rss/1.0/modules/syndication/",),
    "szf": ("http://schemas.pocketsoap.com/rss/mydescmodule/",),
    "taxo": ("http://purl.org/rss/1.0/modules/taxonomy/",),
    "thr": ("http://purl.org/rss/1.0/modules/threading/",),
    "ti": ("http://purl.org/rss/1.0/modules/textinput/",),
    "trackback": ("http://madskills.com/public/xml/rss/module/trackback/",),
    "wfw": ("http://wellformedweb.org/commentapi/",),
    "wiki": ("http://purl.org/rss/1.0/modules/wiki/",),
    "xhtml": ("http://www.w3.org/1999/xhtml",),
    "xlink": ("http://www.w3.org/1999/xlink",),
    "xml": ("http://www.w3.org/xml/1998/namespace",),
}
PREFIXES = {space: prefix for prefix, spaces in _SPACES_OF.items() for space in spaces}
"""feedparser's prefix of every namespace that it knows, by its address in lower case."""

_HANDLED = """
    abstract author body category cc_license channel cloud content content_encoded contributor copyright created
    creativeCommons_license creativecommons_license dc_author dc_contributor dc_creator dc_date dc_description
    dc_language dc_publisher dc_rights dc_subject dc_title dcterms_created dcterms_issued dcterms_modified dcterms_valid
    description email enclosure entry expirationdate feed feedburner_browserfriendly fullitem generator geom georss_box
    georss_line georss_point georss_polygon georss_where georssgeom gml_exterior gml_linearring gml_linestring gml_point
    gml_polygon gml_pos gml_poslist guid height homepage id image info issued item itunes_author itunes_block
    itunes_category itunes_email itunes_explicit itunes_image itunes_keywords itunes_link itunes_name itunes_owner
    itunes_subtitle itunes_summary keywords language lastbuilddate link managingeditor media_category media_content
    media_credit media_description media_group media_keywords media_license media_player media_rating media_restriction
    media_thumbnail media_title modified name newlocation psc_chapter psc_chapters pubdate published rights rss source
    subtitle summary tagline tags textInput textinput title updated uri url webmaster where width xhtml_body
"""
_READ = """
    authors contributors date dcterms_available guidislink itunes_kzhtml itunes_kzplain links media_kzhtml media_kzplain
    prism_publicationdate publisher publishers sy_updatefrequency sy_updateperiod ttl
"""
HANDLED = frozenset(_HANDLED.split())
"""The elements that feedparser does something special with, a "_" for the colon. All others it keeps by their names."""
_SPECIAL = HANDLED | frozenset(_READ.split())
"""These, and the names under which feedparser, or parse.py after it, looks for something."""

_USERLAND = "backend.userland.com/rss"


def prefix_of(space: str) -> str | None:
    """feedparser's prefix of the namespace; None where it does not know it."""
    return "" if _USERLAND in space.lower() else PREFIXES.get(space.lower())


def is_just_kept(name: str) -> bool:
    """Whether feedparser keeps the element by its name, and nothing follows from it."""
    key = name.replace(":", "_")
    return key not in _SPECIAL and not key.endswith(("_detail", "_parsed"))


class Names:
    """The names in one document, as its namespaces stand. A name is what expat writes with a space as separator."""

    def __init__(self) -> None:
        self._prefixes: dict[str, str] = {}  # the document's prefix → feedparser's
        self._spaces: dict[str, str] = {}  # prefix → the namespace that was declared with it last
        self._elements: dict[str, str] = {}

    def declare(self, prefix: str | None, space: str) -> None:
        """Note a declaration. None ever goes out of force, as none does in feedparser."""
        self._elements.clear()
        known = prefix_of(space)
        if known is None:
            self._spaces[prefix or ""] = space
        else:
            self._spaces[known] = space
            if prefix:
                self._prefixes[prefix] = known

    def __len__(self) -> int:
        """How many prefixes there are."""
        return len(self._spaces)

    def element(self, name: str) -> str:
        """The element's name, its prefix before a colon."""
        found = self._elements.get(name)
        if found is None:
            found = self._elements[name] = self._element(name)
        return found

    def _element(self, name: str) -> str:
        space, local, _ = _parts(name)
        own = prefix_of(space) or next((own for own, other in self._spaces.items() if own and other == space), "")
        own = self._prefixes.get(own.lower(), own.lower())
        return f"{own}:{local.lower()}" if own else local.lower()

    def attributes(self, given: Mapping[str, str]) -> dict[str, str]:
        """The attributes by their names in lower case, those of `rel` and `type` in lower case too."""
        named: dict[str, str] = {}
        qualified: dict[str, str] = {}
        for name, value in given.items():
            space, local, prefix = _parts(name)
            known = PREFIXES.get(space.lower(), "")
            named[f"{known}:{local}".removeprefix(":").lower()] = value
            qualified[f"{prefix}:{local}".removeprefix(":").lower()] = value
        named |= qualified
        return {name: value.lower() if name in ("rel", "type") else value for name, value in named.items()}

    def prefixed(self, name: str) -> str:
        """A name with one of feedparser's prefixes, as it asks attributes for it."""
        prefix, colon, suffix = name.partition(":")
        return f"{self._prefixes.get(prefix, prefix)}{colon}{suffix}"


def _parts(name: str) -> tuple[str, str, str]:
    parts = name.split()
    if len(parts) == 1:
        return "", name, ""
    return parts[0], parts[1], parts[2] if len(parts) == 3 else ""
