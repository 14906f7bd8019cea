"""What may stand where in a feed that is nothing out of the ordinary: the places, and who opens each element there.

Elements that are in no table are Unusual, unless feedparser does nothing but keep them by their names.
"""

from collections.abc import Mapping

from kzfeed.feed import elements
from kzfeed.feed.item import ASIDES
from kzfeed.feed.xml import Grammar, Opener


def _table(names: Mapping[Opener, str]) -> dict[str, Opener]:
    return {name: opener for opener, several in names.items() for name in several.split()}


_TIMES = """
    pubdate published issued dcterms:issued updated modified lastbuilddate dc:date dcterms:modified created
    dcterms:created
"""
_PASSED = """
    cc:license copyright creativeCommons:license creativecommons:license dc:contributor dc:publisher dc:rights email
    generator georss:box georss:line georss:point georss:polygon height homepage itunes:block itunes:explicit
    itunes:image itunes:subtitle media:credit media:license media:player media:rating media:restriction name rights
    subtitle tagline uri url webmaster width
"""
_PASSED_IN_FEEDS = """
    admin:errorreportsto admin:generatoragent cloud dc:description description feedburner:browserfriendly info
    media:thumbnail
"""
_ASIDES = " ".join(ASIDES)
_SIDE_TIMES = "dcterms:valid expirationdate"
_TAGS: dict[Opener, str] = {
    elements.open_category: "category keywords dc:subject itunes:category media:category",
    elements.open_keywords: "itunes:keywords media:keywords",
}

_OF_ITEM = _table(
    {
        elements.open_part: "title dc:title media:title description dc:description summary content content:encoded",
        elements.open_link: "link",
        elements.open_guid: "guid id",
        elements.open_value: f"{_TIMES} language dc:language",
        elements.open_bare_value: f"{_ASIDES} dcterms:available prism:publicationdate",
        elements.open_side_time: _SIDE_TIMES,
        elements.open_author: "author dc:creator dc:author itunes:author managingeditor",
        elements.open_other_person: "contributor",
        elements.open_enclosure: "enclosure",
        elements.open_media: "media:group media:content",
        elements.open_thumbnail: "media:thumbnail",
        elements.open_source: "source",
        elements.open_image: "image",
        elements.open_place: "georss:where",
        elements.open_chapters: "psc:chapters",
        elements.pass_over: _PASSED,
        **_TAGS,
    }
)
_OF_FEED = _table(
    {
        elements.open_part: "title dc:title media:title",
        elements.open_link: "link",
        elements.open_guid: "guid id",
        elements.open_value: f"{_TIMES} language dc:language",
        elements.open_side_time: _SIDE_TIMES,
        elements.open_said: "ttl sy:updateperiod sy:updatefrequency",
        elements.open_other_person: "author contributor dc:creator dc:author itunes:author itunes:owner managingeditor",
        elements.open_place: "georss:where",
        elements.open_item: "entry",
        elements.pass_over: f"{_PASSED} {_ASIDES} {_PASSED_IN_FEEDS}",
        **_TAGS,
    }
)
_OF_CHANNEL = _table({elements.open_item: "item", elements.open_image: "image", elements.open_text_input: "textinput"})

GRAMMAR: Grammar = {
    "": {},
    "document": _table({elements.open_rss: "rss", elements.open_feed: "feed", elements.open_rdf: "rdf:rdf"}),
    "rss": _table({elements.open_channel: "channel"}),
    "rdf": _table({elements.open_channel: "channel"}) | _OF_CHANNEL,
    "channel": {name: opener for name, opener in _OF_FEED.items() if name != "entry"} | _OF_CHANNEL,
    "feed": _OF_FEED,
    "item": _OF_ITEM,
    "media": _table(
        {
            elements.open_part: "media:title",
            elements.open_bare_value: _ASIDES,
            elements.open_media: "media:content",
            elements.open_thumbnail: "media:thumbnail",
            elements.pass_over: "media:credit media:license media:player media:rating media:restriction",
            **_TAGS,
        }
    ),
    "person": _table({elements.open_part_of_person: "name email uri url homepage itunes:name itunes:email"}),
    "source": _table(
        {
            elements.open_side_title: "title",
            elements.open_side_time: _TIMES,
            elements.open_other_person: "author contributor",
            elements.pass_over: "category generator guid id language link rights subtitle",
        }
    ),
    "image": _table({elements.open_side_title: "title", elements.pass_over: "link url width height description"}),
    "textinput": _table({elements.open_side_title: "title", elements.pass_over: "description name link"}),
    "place": _table({elements.open_place: "gml:point gml:pos"}),
    "chapters": _table({elements.open_chapter: "psc:chapter"}),
    "itunes:category": _table({elements.open_category: "itunes:category"}),
}
