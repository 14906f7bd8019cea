"""Validator of Atom feeds by the rules of RFC 4287, as far as kzfeed's feeds use its elements."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

ATOM = "{http://www.w3.org/2005/Atom}"
# §3.3: a date-time of RFC 3339, with upper-case T and Z.
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
# RFC 3987 §2.2: a scheme, and none of the characters that an IRI excludes.
_IRI = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20"<>\\^`{|}\x7f-\x9f]+')
_MEDIA_TYPE = re.compile(r".+/.+")
_LANGUAGE = re.compile(r"([A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*)?")

# By element: those inside that must occur once, may occur once, and may occur any number of times (§4.1.1, §4.1.2).
_INSIDE = {
    "feed": (
        {"id", "title", "updated"},
        {"generator", "icon", "logo", "rights", "subtitle"},
        {"link", "entry", "author"},
    ),
    "entry": (
        {"id", "title", "updated"},
        {"content", "published", "rights", "source", "summary"},
        {"author", "category", "contributor", "link"},
    ),
    "source": (set[str](), {"id", "title", "updated", "generator", "rights"}, {"author", "category", "link"}),
    "author": ({"name"}, {"uri", "email"}, set[str]()),
}
_ATTRIBUTES = {
    "link": {"href", "rel", "type", "hreflang", "title", "length"},
    "category": {"term", "scheme", "label"},
    "content": {"type", "src"},
    "title": {"type"},
    "generator": {"uri", "version"},
}
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def breaches(path: Path) -> list[str]:
    """What in this file breaks a rule."""
    root = etree.parse(path).getroot()
    if root.tag != f"{ATOM}feed":
        return [f"the root is {root.tag}"]
    found = list(_of_element(root))
    ids = [entry.findtext(f"{ATOM}id") for entry in root.iter(f"{ATOM}entry")]
    if len(set(ids)) < len(ids):
        found.append("two entries have the same id")  # §4.1.1
    children = [_name(child) for child in root]
    if "entry" in children and set(children[children.index("entry") :]) != {"entry"}:
        found.append("something follows an entry")  # the schema of appendix B
    return found


def _name(element: Any) -> str:
    return str(element.tag).removeprefix(ATOM)


def _of_element(element: Any) -> Iterator[str]:
    name, where = _name(element), f"line {element.sourceline}"
    unknown = set(element.attrib) - _ATTRIBUTES.get(name, set()) - {_LANG}
    if unknown:
        yield f"{where}: {name} has attributes {unknown}"
    if not _LANGUAGE.fullmatch(element.get(_LANG, "")):
        yield f"{where}: xml:lang is {element.get(_LANG)!r}"
    if name in _INSIDE:
        once, at_most_once, any_number = _INSIDE[name]
        inside = [_name(child) for child in element if str(child.tag).startswith(ATOM)]
        yield from (f"{where}: {name} has {inside.count(each)} {each}" for each in once if inside.count(each) != 1)
        yield from (f"{where}: {name} has several {each}" for each in at_most_once if inside.count(each) > 1)
        yield from (f"{where}: {name} has {each}" for each in set(inside) - once - at_most_once - any_number)
        for child in element:
            if str(child.tag).startswith(ATOM):
                yield from _of_element(child)
    elif len(element):
        yield f"{where}: {name} has elements inside"
    yield from (f"{where}: {problem}" for problem in _of_value(element, name))


def _of_value(element: Any, name: str) -> Iterator[str]:
    text = element.text or ""
    if name == "id" and not _IRI.fullmatch(text):
        yield f"id is {text!r}"
    if name in ("updated", "published") and not _DATE.fullmatch(text):
        yield f"{name} is {text!r}"
    if name == "link" and not _IRI.fullmatch(element.get("href", "")):
        yield f"href is {element.get('href')!r}"
    if name == "link" and not _MEDIA_TYPE.fullmatch(element.get("type", "a/a")):
        yield f"type is {element.get('type')!r}"
    if name == "category" and element.get("term") is None:
        yield "category has no term"
    if name in ("title", "content") and element.get("type", "text") not in ("text", "html"):
        yield f"type is {element.get('type')!r}"
    if name == "name" and not text.strip():
        yield "a person has no name"
    if name == "entry":
        yield from _of_entry(element)


def _of_entry(element: Any) -> Iterator[str]:
    alternates = [link for link in element.findall(f"{ATOM}link") if link.get("rel", "alternate") == "alternate"]
    if len({(link.get("type"), link.get("hreflang")) for link in alternates}) < len(alternates):
        yield "two alternate links"
    if not alternates and element.find(f"{ATOM}content") is None:
        yield "neither link nor content"
    authors = element.findall(f"{ATOM}author") + element.findall(f"{ATOM}source/{ATOM}author")
    if not authors and element.getparent().find(f"{ATOM}author") is None:
        yield "no author"
