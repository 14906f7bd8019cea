"""XML namespaces of feeds, and the prefix for each of them in this package.

Elements and attributes are known by a prefix and a local name in lower case, such as `media:content`. RSS and Atom have
no prefix: `item`, `entry`, `title`.
"""

_NAMESPACES = {
    "": (
        "http://backend.userland.com/rss",
        "http://blogs.law.harvard.edu/tech/rss",
        "http://example.com/necho",
        "http://example.com/newformat#",
        "http://my.netscape.com/rdf/simple/0.9/",
        "http://purl.org/atom/ns#",
        "http://purl.org/echo/",
        "http://purl.org/net/rss1.1#",
        "http://purl.org/pie/",
        "http://purl.org/rss/1.0/",
        "http://purl.org/rss/1.0/modules/rss091#",
        "http://www.w3.org/2005/atom",
        "uri/of/echo/namespace#",
    ),
    "content": ("http://purl.org/rss/1.0/modules/content/",),
    "dc": ("http://purl.org/dc/elements/1.1/",),
    "dcterms": ("http://purl.org/dc/terms/",),
    "itunes": ("http://www.itunes.com/dtds/podcast-1.0.dtd", "http://example.com/dtds/podcast-1.0.dtd"),
    "media": ("http://search.yahoo.com/mrss", "http://search.yahoo.com/mrss/"),
    "prism": ("http://prismstandard.org/namespaces/1.2/basic/",),
    "rdf": ("http://www.w3.org/1999/02/22-rdf-syntax-ns#",),
    "sy": ("http://purl.org/rss/1.0/modules/syndication/",),
    "xhtml": ("http://www.w3.org/1999/xhtml",),
    "xml": ("http://www.w3.org/xml/1998/namespace",),
}
_PREFIXES = {namespace: prefix for prefix, namespaces in _NAMESPACES.items() for namespace in namespaces}
ATOM_03 = "http://purl.org/atom/ns#"
ATOM_10 = "http://www.w3.org/2005/atom"
RSS_090 = "http://my.netscape.com/rdf/simple/0.9/"


def prefix_of(namespace: str) -> str | None:
    """The prefix of a namespace of feeds; None for any other namespace."""
    namespace = namespace.lower()
    return "" if "backend.userland.com/rss" in namespace else _PREFIXES.get(namespace)
