"""Feeds as publishers' software writes them: the structure is theirs, the words are ours.

A shape is a root, the elements of the feed and the elements of an entry; `document` puts articles into it.
"""

from dataclasses import dataclass
from html import escape

NAMESPACES = {
    "admin": "http://webns.net/mvcb/",
    "app": "http://www.w3.org/2007/app",
    "arxiv": "http://arxiv.org/schemas/atom",
    "atom": "http://www.w3.org/2005/Atom",
    "atom10": "http://www.w3.org/2005/Atom",
    "cap": "urn:oasis:names:tc:emergency:cap:1.2",
    "cc": "http://web.resource.org/cc/",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "creativeCommons": "http://backend.userland.com/creativeCommonsRssModule",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "discourse": "http://www.discourse.org/",
    "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
    "flickr": "urn:flickr:user",
    "gd": "http://schemas.google.com/g/2005",
    "geo": "http://www.w3.org/2003/01/geo/wgs84_pos#",
    "georss": "http://www.georss.org/georss",
    "gml": "http://www.opengis.net/gml",
    "googleplay": "http://www.google.com/schemas/play-podcasts/1.0",
    "hatena": "http://www.hatena.ne.jp/info/xmlns#",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "lj": "http://www.livejournal.org/rss/lj/1.0/",
    "media": "http://search.yahoo.com/mrss/",
    "nyt": "http://www.nytimes.com/namespaces/rss/2.0",
    "openSearch": "http://a9.com/-/spec/opensearchrss/1.0/",
    "podcast": "https://podcastindex.org/namespace/1.0",
    "prism": "http://prismstandard.org/namespaces/1.2/basic/",
    "psc": "http://podlove.org/simple-chapters",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "re": "http://purl.org/atompub/rank/1.0",
    "s": "http://jadedpixel.com/-/spec/shopify",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
    "taxo": "http://purl.org/rss/1.0/modules/taxonomy/",
    "thr": "http://purl.org/syndication/thread/1.0",
    "trackback": "http://madskills.com/public/xml/rss/module/trackback/",
    "webfeeds": "http://webfeeds.org/rss/1.0",
    "wfw": "http://wellformedweb.org/CommentAPI/",
    "yt": "http://www.youtube.com/xml/schemas/2015",
}


@dataclass(frozen=True)
class Shape:
    """A way to publish. `spaces` are prefixes, `root` are more attributes of the root."""

    format: str
    spaces: str
    feed: str
    entry: str
    root: str = ""


@dataclass(frozen=True)
class Story:
    """What an entry is about."""

    number: int
    title: str
    author: str
    tag: str
    paragraphs: tuple[str, ...]


STORIES = (
    Story(
        1,
        "The bridge opens again",
        "Ada Brook",
        "Town",
        ("After two winters the bridge is open.", "Trams follow in May."),
    ),
    Story(2, "圖書館延長開放時間", "王小明", "要聞", ("市立圖書館週末開到晚上十點。", "讀者說：「早就該這樣了。」")),
    Story(3, "Q&A: what the river carries", "Noé Lafleur", "Nature & Science", ("Silt, mostly — and 3 < 4 bottles.",)),
)


def document(shape: Shape, stories: tuple[Story, ...] = STORIES) -> str:
    """The shape with these articles in it."""
    spaces = "".join(f' xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in shape.spaces.split())
    entries = "\n".join(shape.entry.format(**_words(story)) for story in stories)
    head = shape.feed.format(self="https://news.example/feed", site="https://news.example/")
    match shape.format:
        case "rss":
            root = f'rss version="2.0"{spaces}{shape.root}'
            return f"{_XML}<{root}>\n<channel>\n{head}\n{_items(entries, 'item')}\n</channel>\n</rss>\n"
        case "atom":
            root = f'feed xmlns="http://www.w3.org/2005/Atom"{spaces}{shape.root}'
            return f"{_XML}<{root}>\n{head}\n{_items(entries, 'entry')}\n</feed>\n"
        case "rdf":
            numbers = "".join(f'<rdf:li rdf:resource="https://news.example/{story.number}"/>' for story in stories)
            contents = f"<items>\n<rdf:Seq>{numbers}</rdf:Seq>\n</items>"
            root = f'rdf:RDF xmlns:rdf="{NAMESPACES["rdf"]}" xmlns="http://purl.org/rss/1.0/"{spaces}{shape.root}'
            channel = f'<channel rdf:about="https://news.example/rdf">{head}{contents}</channel>'
            return f"{_XML}<{root}>\n{channel}\n{entries}\n</rdf:RDF>\n"
    raise AssertionError(shape.format)


_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


def _items(entries: str, name: str) -> str:
    return entries.replace("<ENTRY", f"<{name}").replace("</ENTRY>", f"</{name}>")


def _words(story: Story) -> dict[str, str]:
    html = "\n".join(f"<p>{escape(each, quote=False)}</p>" for each in story.paragraphs)
    html += f'\n<p><a href="https://news.example/{story.number}?a=1&amp;b=2">&#8230; more&nbsp;</a></p>'
    xhtml = html.replace("&nbsp;", "&#160;")
    return {
        "n": str(story.number),
        "title": escape(story.title),
        "link": f"https://news.example/2024/05/0{story.number}/story.html",
        "author": escape(story.author),
        "tag": escape(story.tag),
        "text": escape(story.paragraphs[0]),
        "html": escape(html),
        "cdata": f"<![CDATA[{html}]]>",
        "xhtml": f'<div xmlns="http://www.w3.org/1999/xhtml">{xhtml}<br/></div>',
        "short": f"<![CDATA[{story.paragraphs[0]}]]>",
        "named": f"<![CDATA[{story.title}]]>",
        "rfc822": f"Thu, 0{story.number} May 2024 08:30:00 +0000",
        "iso": f"2024-05-0{story.number}T08:30:00Z",
    }


_RSS_HEAD = "<title>The Brook</title><link>{site}</link><description>News from the valley</description>"
_RSS_ITEM = "<ENTRY><title>{title}</title><link>{link}</link><pubDate>{rfc822}</pubDate>"
_SELF = '<atom:link href="{self}" rel="self" type="application/rss+xml"/>'
_IMAGE = "<image><url>https://news.example/i.png</url><title>The Brook</title><link>{site}</link></image>"
_SIZED_IMAGE = _IMAGE.replace("</image>", "<width>32</width><height>32</height></image>")
_ATOM_HEAD = (
    '<title type="text">The Brook</title><link rel="alternate" type="text/html" href="{site}"/>'
    '<link rel="self" type="application/atom+xml" href="{self}"/><id>tag:news.example,2024:feed</id>'
    "<updated>2024-05-03T08:30:00Z</updated>"
)
_ATOM_ENTRY = (
    '<ENTRY><id>tag:news.example,2024:{n}</id><title type="html">{title}</title><link rel="alternate" href="{link}"/>'
    "<published>{iso}</published><updated>{iso}</updated>"
)
_ATOM_PLAIN_ENTRY = _ATOM_ENTRY.replace(' type="html"', "")
_PERSON = "<author><name>{author}</name></author>"
_RDF_ITEM = '<item rdf:about="{link}"><title>{title}</title><link>{link}</link>'
_UPDATES = "<sy:updatePeriod>\n\thourly\t</sy:updatePeriod>\n<sy:updateFrequency>\n\t1\t</sy:updateFrequency>"
_OWNER = "<itunes:owner><itunes:name>Brook FM</itunes:name><itunes:email>fm@news.example</itunes:email></itunes:owner>"
_TOPICS = '<itunes:category text="News"><itunes:category text="Daily News"/></itunes:category>'
_SOUND = '<enclosure url="https://audio.example/{n}.mp3?source=feed&amp;v=2" length="2345678" type="audio/mpeg"/>'
_EPISODE = (
    "<itunes:title>{title}</itunes:title><itunes:duration>00:31:07</itunes:duration>"
    "<itunes:episode>{n}</itunes:episode>"
    '<itunes:explicit>no</itunes:explicit><itunes:image href="https://audio.example/{n}.jpg"/>'
    "<itunes:episodeType>full</itunes:episodeType>"
)
_BLOG_LINKS = (
    '<link rel="http://schemas.google.com/g/2005#feed" type="application/atom+xml" href="{self}"/>'
    '<link rel="hub" href="http://hub.example/"/><link rel="next" type="application/atom+xml" href="{self}?start=26"/>'
)

SHAPES: dict[str, Shape] = {
    # --- blogs
    "WordPress": Shape(
        "rss",
        "content wfw dc atom sy slash",
        f"<title>The Brook</title>{_SELF}<link>{{site}}</link><description>News</description>"
        f"<lastBuildDate>Fri, 03 May 2024 08:30:00 +0000</lastBuildDate><language>zh-TW</language>{_UPDATES}"
        f"<generator>https://wordpress.example/?v=6.5</generator>{_SIZED_IMAGE}"
        '<site xmlns="com-wordpress:feed-additions:1">1234</site>',
        "<ENTRY>\n\t<title>{title}</title>\n\t<link>{link}</link>\n\t<comments>{link}#respond</comments>\n"
        "\t<dc:creator><![CDATA[{author}]]></dc:creator>\n\t<pubDate>{rfc822}</pubDate>\n"
        "\t<category><![CDATA[{tag}]]></category>\n\t<category><![CDATA[News]]></category>\n"
        '\t<guid isPermaLink="false">https://news.example/?p={n}</guid>\n\t<description>{short}</description>\n'
        "\t<content:encoded>{cdata}</content:encoded>\n\t<wfw:commentRss>{link}feed/</wfw:commentRss>\n"
        "\t<slash:comments>4</slash:comments>\n"
        '\t<post-id xmlns="com-wordpress:feed-additions:1">{n}</post-id></ENTRY>',
    ),
    "WordPress, summaries": Shape(
        "rss",
        "content wfw dc atom sy slash",
        f"{_RSS_HEAD}{_SELF}{_UPDATES}",
        f"{_RSS_ITEM}<dc:creator>{{short}}</dc:creator><category>{{tag}}</category>"
        '<guid isPermaLink="false">https://news.example/?p={n}</guid><description><![CDATA[<p>x &#8230;</p>]]>'
        "</description></ENTRY>",
    ),
    "WordPress.com": Shape(
        "rss",
        "content wfw dc atom sy slash georss geo media",
        f"{_RSS_HEAD}{_SELF}<cloud domain='news.example' port='80' path='/?rsscloud=notify' registerProcedure=''"
        f" protocol='http-post'/>{_IMAGE}"
        '<atom:link rel="search" type="application/opensearchdescription+xml" href="{site}osd.xml" title="The Brook"/>'
        "<atom:link rel='hub' href='https://news.example/?pushpress=hub'/>",
        f"{_RSS_ITEM}<dc:creator>{{author}}</dc:creator><guid isPermaLink='false'>http://news.example/?p={{n}}</guid>"
        "<description>{short}</description><content:encoded>{cdata}</content:encoded>"
        '<media:thumbnail url="https://news.example/{n}.jpg"/><media:content url="https://news.example/{n}.jpg"'
        ' medium="image"><media:title type="html">{title}</media:title></media:content>'
        '<media:content url="https://1.gravatar.example/a" medium="image"><media:title type="html">{author}'
        "</media:title></media:content><georss:point>24.1 120.6</georss:point><geo:lat>24.1</geo:lat></ENTRY>",
    ),
    "WordPress, Atom": Shape(
        "atom",
        "thr",
        '<title type="text">The Brook</title><subtitle type="text">News</subtitle>'
        "<updated>2024-05-03T08:30:00Z</updated>"
        '<link rel="alternate" type="text/html" href="{site}"/><id>{self}</id>'
        '<link rel="self" type="application/atom+xml" href="{self}"/>'
        '<generator uri="https://wordpress.example/" version="6.5">WordPress</generator>',
        "<ENTRY><author><name>{author}</name><uri>{link}</uri></author>"
        '<title type="html">{named}</title><link rel="alternate" type="text/html" href="{link}"/>'
        "<id>{link}</id><updated>{iso}</updated><published>{iso}</published>"
        '<category scheme="https://news.example" term="{tag}"/><summary type="html">{short}</summary>'
        '<content type="html" xml:base="{link}">{cdata}</content>'
        '<link rel="replies" type="text/html" href="{link}#comments" thr:count="3"/><thr:total>3</thr:total></ENTRY>',
        ' xml:lang="en-GB"',
    ),
    "Blogger": Shape(
        "atom",
        "openSearch georss gd thr",
        f"<id>tag:blogger.example,1999:blog-1</id><updated>2024-05-03T01:30:00.000-07:00</updated>"
        f'<category term="news"/><title type="text">The Brook</title><subtitle type="html">News</subtitle>{_BLOG_LINKS}'
        '<link rel="self" type="application/atom+xml" href="{self}"/>'
        '<link rel="alternate" type="text/html" href="{site}"/><author><name>Ada</name><uri>https://blogger.example/1'
        '</uri><email>noreply@blogger.example</email><gd:image rel="http://schemas.google.com/g/2005#thumbnail"'
        ' width="16" height="16" src="https://img.example/b16.gif"/></author><generator version="7.00"'
        ' uri="https://blogger.example">Blogger</generator><openSearch:totalResults>3</openSearch:totalResults>'
        "<openSearch:startIndex>1</openSearch:startIndex>",
        "<ENTRY><id>tag:blogger.example,1999:blog-1.post-{n}</id><published>2024-05-01T01:30:00.000-07:00</published>"
        "<updated>2024-05-01T01:31:02.123-07:00</updated>"
        '<category scheme="http://www.blogger.com/atom/ns#" term="{tag}"/><title type="text">{title}</title>'
        '<content type="html">{html}</content>'
        '<link rel="replies" type="application/atom+xml" href="{link}/comments" title="Post Comments"/>'
        '<link rel="edit" type="application/atom+xml" href="https://blogger.example/feeds/1/posts/{n}"/>'
        '<link rel="self" type="application/atom+xml" href="https://blogger.example/feeds/1/posts/{n}"/>'
        '<link rel="alternate" type="text/html" href="{link}" title="{title}"/>'
        "<author><name>{author}</name><uri>https://blogger.example/1</uri><email>noreply@blogger.example</email>"
        '<gd:image rel="http://schemas.google.com/g/2005#thumbnail" width="16" height="16" src="//img.example/b.gif"/>'
        '</author><media:thumbnail xmlns:media="http://search.yahoo.com/mrss/" url="https://img.example/{n}.jpg"'
        ' height="72" width="72"/><thr:total>0</thr:total></ENTRY>',
        " xmlns:blogger='http://schemas.google.com/blogger/2008'",
    ),
    "Blogger, RSS": Shape(
        "rss",
        "atom openSearch georss gd thr",
        "<atom:id>tag:blogger.example,1999:blog-1</atom:id><lastBuildDate>Fri, 03 May 2024 08:30:00 +0000"
        f"</lastBuildDate><category>news</category>{_RSS_HEAD}<managingEditor>noreply@blogger.example (Ada)"
        "</managingEditor><generator>Blogger</generator><openSearch:totalResults>3</openSearch:totalResults>",
        '<ENTRY><guid isPermaLink="false">tag:blogger.example,1999:blog-1.post-{n}</guid><pubDate>{rfc822}</pubDate>'
        "<atom:updated>2024-05-01T01:31:02.123-07:00</atom:updated><title>{title}</title><description>{html}"
        "</description><link>{link}</link><author>noreply@blogger.example ({author})</author><thr:total>0</thr:total>"
        "</ENTRY>",
    ),
    "Ghost": Shape(
        "rss",
        "dc content atom media",
        "<title><![CDATA[The Brook]]></title><description><![CDATA[News]]></description><link>{site}</link><image><url>"
        "{site}favicon.png</url><title>The Brook</title><link>{site}</link></image><generator>Ghost 5.8</generator>"
        f"<lastBuildDate>Fri, 03 May 2024 08:30:00 GMT</lastBuildDate>{_SELF}<ttl>60</ttl>",
        "<ENTRY><title>{named}</title><description>{short}</description><link>{link}</link>"
        '<guid isPermaLink="false">66{n}</guid><category><![CDATA[{tag}]]></category><dc:creator><![CDATA[{author}]]>'
        '</dc:creator><pubDate>{rfc822}</pubDate><media:content url="https://news.example/{n}.jpg" medium="image"/>'
        "<content:encoded>{cdata}</content:encoded></ENTRY>",
    ),
    "Medium": Shape(
        "rss",
        "dc content atom cc",
        "<title><![CDATA[The Brook - Medium]]></title><description><![CDATA[News]]></description><link>{site}</link>"
        f"{_IMAGE}<generator>Medium</generator><lastBuildDate>Fri, 03 May 2024 08:30:00 GMT</lastBuildDate>{_SELF}"
        "<webMaster><![CDATA[yourfriends@medium.example]]></webMaster>"
        '<atom:link href="http://medium.example" rel="hub"/>',
        "<ENTRY><title>{named}</title><link>{link}?source=rss----{n}</link>"
        '<guid isPermaLink="false">https://medium.example/p/{n}</guid><category><![CDATA[{tag}]]></category>'
        "<dc:creator><![CDATA[{author}]]></dc:creator><pubDate>{rfc822}</pubDate><atom:updated>{iso}</atom:updated>"
        "<content:encoded>{cdata}</content:encoded></ENTRY>",
    ),
    "Substack": Shape(
        "rss",
        "dc content atom itunes googleplay",
        f"<title><![CDATA[The Brook]]></title><description><![CDATA[News]]></description><link>{{site}}</link>{_IMAGE}"
        f"<generator>Substack</generator>{_SELF}<copyright><![CDATA[Ada]]></copyright><language><![CDATA[en]]>"
        f"</language>"
        "<webMaster><![CDATA[brook@substack.example]]></webMaster><itunes:owner><itunes:email><![CDATA[b@s.example]]>"
        "</itunes:email><itunes:name><![CDATA[Ada]]></itunes:name></itunes:owner><itunes:author><![CDATA[Ada]]>"
        "</itunes:author><googleplay:owner><![CDATA[b@s.example]]></googleplay:owner>"
        "<itunes:block><![CDATA[Yes]]></itunes:block>",
        "<ENTRY><title>{named}</title><description>{short}</description><link>{link}</link>"
        '<guid isPermaLink="false">{link}</guid><dc:creator><![CDATA[{author}]]></dc:creator><pubDate>{rfc822}'
        '</pubDate><enclosure url="https://img.example/{n}.jpg" length="0" type="image/jpeg"/>'
        "<content:encoded>{cdata}</content:encoded></ENTRY>",
    ),
    "Jekyll": Shape(
        "atom",
        "",
        '<generator uri="https://jekyll.example/" version="4.3">Jekyll</generator><link href="{self}" rel="self"'
        ' type="application/atom+xml"/><link href="{site}" rel="alternate" type="text/html"/>'
        '<updated>2024-05-03T08:30:00+00:00</updated><id>{self}</id><title type="html">The Brook</title>'
        "<subtitle>News</subtitle><author><name>Ada</name></author>",
        '<ENTRY><title type="html">{title}</title>'
        '<link href="{link}" rel="alternate" type="text/html" title="{title}"/>'
        "<published>{iso}</published><updated>{iso}</updated><id>{link}</id>"
        '<content type="html" xml:base="{link}">{cdata}</content><author><name>{author}</name></author>'
        '<category term="{tag}"/><summary type="html">{short}</summary></ENTRY>',
    ),
    "Jekyll, RSS": Shape(
        "rss",
        "atom",
        f"{_RSS_HEAD}{_SELF}<pubDate>Fri, 03 May 2024 08:30:00 +0000</pubDate>",
        f'{_RSS_ITEM}<description>{{html}}</description><guid isPermaLink="true">{{link}}</guid>'
        "<category>{tag}</category></ENTRY>",
    ),
    "Hugo": Shape(
        "rss",
        "atom",
        f"{_RSS_HEAD}<generator>Hugo -- gohugo.example</generator><language>en-us</language>{_SELF}",
        f"{_RSS_ITEM}<guid>{{link}}</guid><description>{{html}}</description></ENTRY>",
    ),
    "Hexo": Shape(
        "atom",
        "",
        '<title>The Brook</title><icon>{site}i.png</icon><subtitle>News</subtitle><link href="{self}" rel="self"/>'
        '<link href="{site}"/><updated>2024-05-03T08:30:00.000Z</updated><id>{site}</id><author><name>Ada</name>'
        '</author><generator uri="https://hexo.example/">Hexo</generator>',
        '<ENTRY><title>{title}</title><link href="{link}"/><id>{link}</id><published>{iso}</published>'
        '<updated>{iso}</updated><content type="html">{cdata}</content><summary type="html">{short}</summary>'
        '<category term="{tag}" scheme="https://news.example/tags/"/></ENTRY>',
    ),
    "Eleventy": Shape(
        "atom",
        "",
        _ATOM_HEAD + "<author><name>Ada</name><email>ada@news.example</email></author>",
        f'{_ATOM_PLAIN_ENTRY}<content xml:lang="en" type="html">{{html}}</content></ENTRY>',
        ' xml:base="https://news.example/"',
    ),
    "Pelican": Shape(
        "atom",
        "",
        '<title>The Brook</title><link href="{site}" rel="alternate"/><link href="{self}" rel="self"/><id>{site}</id>'
        "<updated>2024-05-03T08:30:00+02:00</updated>",
        f'{_ATOM_PLAIN_ENTRY}{_PERSON}<summary type="html">{{html}}</summary><content type="html">{{html}}</content>'
        '<category term="{tag}"/><category term="misc"/></ENTRY>',
    ),
    "Typepad": Shape(
        "atom",
        "thr",
        _ATOM_HEAD + '<generator uri="http://typepad.example/">TypePad</generator>',
        f'{_ATOM_ENTRY}<link rel="replies" type="text/html" href="{{link}}#c" thr:count="2"/>'
        '<summary>{text}</summary><author><name>{author}</name></author><category scheme="http://sixapart.example/#c"'
        ' term="{tag}"/>'
        '<content type="xhtml" xml:lang="en-US" xml:base="https://news.example/">{xhtml}</content></ENTRY>',
    ),
    "Movable Type": Shape(
        "atom",
        "",
        _ATOM_HEAD,
        f'{_ATOM_PLAIN_ENTRY}<summary>{{text}}</summary>{_PERSON}<category term="{{tag}}" label="{{tag}}"'
        ' scheme="http://sixapart.example/ns/types#category"/><content type="html" xml:lang="ja"'
        ' xml:base="https://news.example/">\n{cdata}\n</content></ENTRY>',
    ),
    "Tumblr": Shape(
        "rss",
        "dc",
        "<atom:link rel='hub' href='http://hub.example/' xmlns:atom='http://www.w3.org/2005/Atom'/>"
        "<description></description><title>The Brook</title><generator>Tumblr (3.0; @brook)</generator>"
        "<link>{site}</link>",
        "<ENTRY><title>{title}</title><description>{html}</description><link>{link}</link><guid>{link}</guid>"
        "<pubDate>{rfc822}</pubDate><category>{tag}</category><category>river</category></ENTRY>",
    ),
    "LiveJournal": Shape(
        "rss",
        "lj media atom10",
        f"{_RSS_HEAD}<lj:journal>brook</lj:journal>"
        f"<lj:journalid>17</lj:journalid>{_IMAGE}<copyright>NOINDEX</copyright>",
        "<ENTRY><guid isPermaLink='true'>{link}</guid><pubDate>{rfc822}</pubDate><title>{title}</title>"
        "<author>brook</author><link>{link}</link><description>{html}</description><comments>{link}</comments>"
        "<category>{tag}</category><lj:security>public</lj:security><lj:reply-count>0</lj:reply-count></ENTRY>",
    ),
    "Squarespace": Shape(
        "rss",
        "content wfw itunes dc media",
        f"{_RSS_HEAD}<lastBuildDate>Fri, 03 May 2024 08:30:00 +0000</lastBuildDate><generator>Site-Server</generator>",
        "<ENTRY><title>{title}</title><dc:creator>{author}</dc:creator><pubDate>{rfc822}</pubDate><link>{link}</link>"
        '<guid isPermaLink="false">5f:{n}</guid><description>{cdata}</description>'
        '<media:content type="image/jpeg" url="https://img.example/{n}.jpg" medium="image" isDefault="true"'
        ' width="1500" height="1000"><media:title type="plain">{title}</media:title></media:content></ENTRY>',
    ),
    "Wix": Shape(
        "rss",
        "dc content atom",
        f"<title><![CDATA[The Brook]]></title><description><![CDATA[News]]></description><link>{{site}}</link>{_SELF}",
        "<ENTRY><title>{named}</title><description>{short}</description><link>{link}</link>"
        '<guid isPermaLink="false">6{n}</guid><category><![CDATA[{tag}]]></category><pubDate>{rfc822}</pubDate>'
        '<enclosure url="https://img.example/{n}.jpg" length="0" type="image/png"/><dc:creator>{author}</dc:creator>'
        "<content:encoded>{cdata}</content:encoded></ENTRY>",
    ),
    # --- community
    "Discourse": Shape(
        "rss",
        "atom discourse dc",
        f"{_RSS_HEAD}{_SELF}<lastBuildDate>Fri, 03 May 2024 08:30:00 +0000</lastBuildDate>",
        "<ENTRY><title>{title}</title><dc:creator><![CDATA[@ada {author}]]></dc:creator><category>{tag}</category>"
        "<description>{cdata}</description><link>{link}</link><pubDate>{rfc822}</pubDate>"
        "<discourse:topicPinned>No</discourse:topicPinned><discourse:topicClosed>No</discourse:topicClosed>"
        '<guid isPermaLink="false">news.example-topic-{n}</guid><source url="https://news.example/t/{n}.rss">{title}'
        "</source></ENTRY>",
    ),
    "Reddit": Shape(
        "atom",
        "media",
        '<category term="river" label="r/river"/><updated>2024-05-03T08:30:00+00:00</updated>'
        "<icon>https://reddit.example/i.png/</icon><id>/r/river/.rss</id>"
        '<link rel="self" href="{self}" type="application/atom+xml"/><link rel="alternate" href="{site}"'
        ' type="text/html"/><subtitle>News</subtitle><title>The Brook</title>',
        "<ENTRY><author><name>/u/ada</name><uri>https://reddit.example/user/ada</uri></author>"
        '<category term="river" label="r/river"/><content type="html">{html}</content><id>t3_{n}</id>'
        '<media:thumbnail url="https://img.example/{n}.jpg"/><link href="{link}"/><updated>{iso}</updated>'
        "<published>{iso}</published><title>{title}</title></ENTRY>",
    ),
    "Mastodon": Shape(
        "rss",
        "webfeeds media",
        f"{_RSS_HEAD}{_IMAGE}<webfeeds:icon>https://img.example/i.png</webfeeds:icon>"
        f"<generator>Mastodon v4</generator>",
        '<ENTRY><guid isPermaLink="true">{link}</guid><link>{link}</link><pubDate>{rfc822}</pubDate>'
        '<description>{html}</description><media:content url="https://img.example/{n}.png" type="image/png"'
        ' fileSize="4321" medium="image"><media:rating scheme="urn:simple">nonadult</media:rating>'
        '<media:description type="plain">A river</media:description></media:content><category>{tag}</category></ENTRY>',
    ),
    "Lemmy": Shape(
        "rss",
        "dc media",
        _RSS_HEAD,
        f"{_RSS_ITEM}<description>{{cdata}}</description><comments>{{link}}</comments>"
        f"<dc:creator>{{author}}</dc:creator>"
        '<guid>{link}</guid><media:content url="https://img.example/{n}.webp" medium="image"/></ENTRY>',
    ),
    "Hacker News": Shape(
        "rss",
        "",
        _RSS_HEAD,
        f"{_RSS_ITEM}<comments>https://hn.example/item?id={{n}}</comments><description>"
        f'<![CDATA[<a href="https://hn.example'
        '/item?id={n}">Comments</a>]]></description></ENTRY>',
    ),
    "Lobsters": Shape(
        "rss",
        "atom",
        f"{_RSS_HEAD}{_SELF}<pubDate>Fri, 03 May 2024 08:30:00 -0500</pubDate><ttl>120</ttl>",
        '<ENTRY><title>{title}</title><link>{link}</link><guid isPermaLink="false">https://lob.example/s/{n}</guid>'
        "<author>lob.example via ada</author><pubDate>{rfc822}</pubDate><comments>https://lob.example/s/{n}</comments>"
        "<description>&lt;p&gt;&lt;a href=&quot;#&quot;&gt;Comments&lt;/a&gt;&lt;/p&gt;</description>"
        "<category>{tag}</category></ENTRY>",
    ),
    "Stack Exchange": Shape(
        "atom",
        "creativeCommons re",
        _ATOM_HEAD + "<creativeCommons:license>https://cc.example/by-sa/4.0/rdf</creativeCommons:license>",
        '<ENTRY><id>{link}</id><re:rank scheme="https://se.example">3</re:rank><title type="text">{title}</title>'
        '<category scheme="https://se.example/tags" term="{tag}"/><author><name>{author}</name>'
        "<uri>https://se.example/1"
        '</uri></author><link rel="alternate" href="{link}"/><published>{iso}</published><updated>{iso}</updated>'
        '<summary type="html">{html}</summary></ENTRY>',
    ),
    "phpBB": Shape(
        "atom",
        "",
        f"{_ATOM_HEAD}<author><name><![CDATA[The Brook]]></name></author>",
        "<ENTRY><author><name><![CDATA[{author}]]></name></author><updated>{iso}</updated><published>{iso}</published>"
        '<id>{link}#p{n}</id><link href="{link}#p{n}"/><title type="html">{named}</title>'
        '<category term="{tag}" scheme="{link}" label="{tag}"/><content type="html" xml:base="{link}#p{n}">{cdata}'
        "</content></ENTRY>",
        ' xml:lang="en-gb"',
    ),
    "vBulletin": Shape(
        "rss",
        "dc content",
        f"{_RSS_HEAD}<language>en</language><ttl>60</ttl>{_IMAGE}",
        f"{_RSS_ITEM}<description>{{short}}</description><content:encoded>{{cdata}}</content:encoded>"
        '<category domain="https://news.example/f5/">{tag}</category><dc:creator>{author}</dc:creator>'
        '<guid isPermaLink="true">{link}</guid></ENTRY>',
    ),
    # --- code
    "GitHub releases": Shape(
        "atom",
        "media",
        '<id>tag:github.example,2008:releases</id><link type="text/html" rel="alternate" href="{site}"/>'
        '<link type="application/atom+xml" rel="self" href="{self}"/><title>Release notes</title>'
        "<updated>2024-05-03T08:30:00Z</updated>",
        '<ENTRY><id>tag:github.example,2008:Repository/1/v{n}</id><updated>{iso}</updated><link rel="alternate"'
        ' type="text/html" href="{link}"/><title>{title}</title><content type="html">{html}</content>'
        "<author><name>{author}</name></author>"
        '<media:thumbnail height="30" width="30" url="https://img.example/u/{n}"/>'
        "</ENTRY>",
        ' xml:lang="en-US"',
    ),
    "GitHub commits": Shape(
        "atom",
        "media",
        _ATOM_HEAD,
        '<ENTRY><id>tag:github.example,2008:Grit::Commit/{n}</id><link type="text/html" rel="alternate" href="{link}"/>'
        "<title>\n        {title}\n    </title><updated>{iso}</updated>"
        '<media:thumbnail height="30" width="30" url="https://img.example/u/{n}"/><author><name>{author}</name>'
        '<uri>https://github.example/ada</uri></author><content type="html">\n      {html}\n    </content></ENTRY>',
        ' xml:lang="en-US"',
    ),
    "GitLab": Shape(
        "atom",
        "media",
        _ATOM_HEAD,
        '<ENTRY><id>{link}</id><link href="{link}"/><title>{title}</title><updated>{iso}</updated>'
        '<media:thumbnail width="40" height="40" url="https://img.example/u/{n}"/><author><username>ada</username>'
        '<name>{author}</name><email>ada@news.example</email></author><summary type="html">{html}</summary></ENTRY>',
    ),
    "Redmine": Shape(
        "atom",
        "",
        _ATOM_HEAD
        + '<icon>{site}favicon.ico</icon><author><name>Redmine</name></author><generator uri="https://r.example/">R'
        "</generator>",
        '<ENTRY><title>{title}</title><link href="{link}" rel="alternate"/><id>{link}</id><updated>{iso}</updated>'
        '<author><name>{author}</name><email>a@news.example</email></author><content type="html">\n{html}\n</content>'
        "</ENTRY>",
    ),
    "MediaWiki": Shape(
        "atom",
        "",
        '<id>{self}</id><title>The Brook - Recent changes</title><link rel="self" type="application/atom+xml"'
        ' href="{self}"/><link rel="alternate" type="text/html" href="{site}"/><updated>2024-05-03T08:30:00Z</updated>'
        "<subtitle>News</subtitle><generator>MediaWiki 1.41</generator>",
        '<ENTRY><id>{link}?diff={n}</id><title>{title}</title><link rel="alternate" type="text/html" href="{link}"/>'
        '<updated>{iso}</updated><summary type="html">{html}</summary><author><name>{author}</name></author></ENTRY>',
        ' xml:lang="en"',
    ),
    "MediaWiki, RSS": Shape(
        "rss",
        "dc",
        f"{_RSS_HEAD}<language>en</language><generator>MediaWiki 1.41</generator>",
        '<ENTRY><title>{title}</title><link>{link}</link><guid isPermaLink="false">{link}</guid><description>{html}'
        "</description><pubDate>{rfc822}</pubDate><dc:creator>{author}</dc:creator><comments>{link}</comments></ENTRY>",
    ),
    # --- newspapers, agencies
    "broadcaster": Shape(
        "rss",
        "dc content atom media",
        f"<title><![CDATA[The Brook]]></title><description><![CDATA[News]]></description><link>{{site}}</link>{_IMAGE}"
        f"<lastBuildDate>Fri, 03 May 2024 08:30:00 GMT</lastBuildDate>{_SELF}<copyright><![CDATA[(C)]]></copyright>"
        "<language><![CDATA[en-gb]]></language><ttl>15</ttl>",
        "<ENTRY><title>{named}</title><description>{short}</description><link>{link}?at_medium=RSS</link>"
        '<guid isPermaLink="false">{link}#0</guid><pubDate>{rfc822}</pubDate>'
        '<media:thumbnail width="240" height="134" url="https://img.example/{n}.jpg"/></ENTRY>',
    ),
    "newspaper with media": Shape(
        "rss",
        "dc media atom nyt",
        f'{_RSS_HEAD}<atom:link href="{{self}}" rel="self" type="application/rss+xml"/>{_SIZED_IMAGE}',
        f'{_RSS_ITEM}<guid isPermaLink="true">{{link}}</guid><atom:link href="{{link}}" rel="standout"/><description>'
        "{text}</description><dc:creator>{author}</dc:creator>"
        '<category domain="http://nyt.example/des">{tag}</category>'
        '<category domain="http://nyt.example/geo">Valley</category><media:content height="151" medium="image"'
        ' url="https://img.example/{n}.jpg" width="151"/><media:credit>Photo Desk</media:credit>'
        "<media:description>The bridge at dawn.</media:description></ENTRY>",
    ),
    "newspaper with dc:date": Shape(
        "rss",
        "media dc",
        f"{_RSS_HEAD}<language>en-gb</language><dc:date>2024-05-03T08:30:00Z</dc:date><dc:language>en-gb</dc:language>"
        f"<copyright>The Brook</copyright>{_IMAGE}",
        f'{_RSS_ITEM}<description>{{html}}</description><category domain="https://news.example/a">{{tag}}</category>'
        '<guid>{link}</guid><media:content width="140" url="https://img.example/{n}-140.jpg"><media:credit'
        ' scheme="urn:ebu">Photograph: Ada</media:credit></media:content><media:content width="460"'
        ' url="https://img.example/{n}-460.jpg"><media:credit scheme="urn:ebu">Photograph: Ada</media:credit>'
        "</media:content><dc:creator>{author}</dc:creator><dc:date>{iso}</dc:date></ENTRY>",
    ),
    "news aggregator": Shape(
        "rss",
        "media",
        f"<generator>NFE/5.0</generator>{_RSS_HEAD}<language>en-US</language><webMaster>news@aggr.example</webMaster>",
        '<ENTRY><title>{title} - The Brook</title><link>{link}?oc=5</link><guid isPermaLink="false">CBM{n}</guid>'
        "<pubDate>{rfc822}</pubDate><description>{html}</description>"
        '<source url="https://news.example">The Brook</source></ENTRY>',
    ),
    "FeedBurner": Shape(
        "rss",
        "content dc feedburner media",
        f"{_RSS_HEAD}"
        '<atom10:link xmlns:atom10="http://www.w3.org/2005/Atom" rel="self" type="application/rss+xml" href="{self}"/>'
        '<feedburner:info uri="thebrook"/><atom10:link xmlns:atom10="http://www.w3.org/2005/Atom" rel="hub"'
        ' href="http://hub.example/"/><feedburner:emailServiceId>brook</feedburner:emailServiceId>',
        "<ENTRY><title>{title}</title><link>{link}</link><category><![CDATA[{tag}]]></category><dc:creator>{author}"
        '</dc:creator><pubDate>{rfc822}</pubDate><guid isPermaLink="false">https://news.example/?p={n}</guid>'
        '<description>{html}&lt;img src="//feeds.example/~r/{n}" height="1" width="1"/&gt;</description>'
        "<content:encoded>{cdata}</content:encoded><feedburner:origLink>{link}</feedburner:origLink></ENTRY>",
    ),
    "portal": Shape(
        "rss",
        "",
        "<title><![CDATA[溪流新聞]]></title><link>{site}</link><description><![CDATA[即時]]></description>"
        f"<language>zh-tw</language><copyright>溪流</copyright>{_IMAGE}<ttl>5</ttl>",
        "<ENTRY><title>{named}</title><link><![CDATA[{link}]]></link><description><![CDATA[<p>{author}</p>]]>"
        "</description><pubDate>{rfc822}</pubDate><guid><![CDATA[{link}]]></guid></ENTRY>",
    ),
    "full-text mirror": Shape(
        "rss",
        "atom",
        f"<title>溪流</title><link>{{site}}</link>{_SELF}<description>溪流 - Powered by a mirror</description>"
        "<generator>mirror</generator><webMaster>mirror@news.example (mirror)</webMaster><language>zh-cn</language>"
        "<lastBuildDate>Fri, 03 May 2024 08:30:00 GMT</lastBuildDate><ttl>5</ttl>",
        "<ENTRY><title>{title}</title><description>{html}</description><link>{link}</link>"
        '<guid isPermaLink="false">{link}</guid><pubDate>{rfc822}</pubDate><author>{author}</author>'
        "<category>{tag}</category></ENTRY>",
    ),
    "full-text mirror, CDATA": Shape(
        "rss",
        "",
        "<title>溪流</title><link>{site}</link><description>溪流 全文镜像</description>",
        "<ENTRY>\n<title>{named}</title>\n<link>{link}</link>\n<description>{cdata}</description>\n"
        "<pubDate>{rfc822}</pubDate>\n</ENTRY>",
    ),
    # --- administrations, science
    "government": Shape(
        "rss",
        "",
        "<title>市政府公告</title><link>{site}</link><description>公告</description><language>zh-cn</language>"
        "<pubDate>2024-05-03 08:30:00</pubDate><category>公告</category>",
        "<ENTRY><title><![CDATA[{title}]]></title><link>{link}</link><description>{cdata}</description>"
        "<author>{author}</author><pubDate>2024-05-0{n} 08:30:00</pubDate><category>{tag}</category></ENTRY>",
    ),
    "government, .NET": Shape(
        "rss",
        "atom dc",
        f"{_RSS_HEAD}<generator>CMS 10</generator><lastBuildDate>Fri, 03 May 2024 16:30:00 +0800</lastBuildDate>",
        '<ENTRY><guid isPermaLink="false">{{8A{n}}}</guid><link>{link}</link><title>{title}</title><description>{html}'
        "</description><pubDate>{rfc822}</pubDate><dc:publisher>Town hall</dc:publisher>"
        '<a10:updated xmlns:a10="http://www.w3.org/2005/Atom">{iso}</a10:updated></ENTRY>',
    ),
    "Drupal": Shape(
        "rss",
        "dc",
        _RSS_HEAD + "<language>en</language>",
        "<ENTRY><title>{title}</title><link>{link}</link><description>{html}</description><pubDate>{rfc822}</pubDate>"
        '<dc:creator>{author}</dc:creator><guid isPermaLink="false">{n} at https://news.example</guid>'
        '<category domain="https://news.example/tags/1">{tag}</category><comments>{link}#comments</comments></ENTRY>',
        ' xml:base="https://news.example"',
    ),
    "TYPO3": Shape(
        "rss",
        "content atom",
        f"{_RSS_HEAD}<language>de-de</language>"
        f"<copyright>TYPO3</copyright>{_SELF}<generator>TYPO3 EXT:news</generator>",
        '<ENTRY><guid isPermaLink="false">news-{n}</guid><pubDate>{rfc822}</pubDate><title>{title}</title><link>{link}'
        "</link><description>{text}</description><content:encoded>{cdata}</content:encoded><category>{tag}</category>"
        '<enclosure url="https://news.example/{n}.jpg" length="5678" type="image/jpeg"/></ENTRY>',
    ),
    "Joomla": Shape(
        "rss",
        "atom",
        f"<title>The Brook</title><description><![CDATA[News]]></description><link>{{site}}</link>"
        f"<lastBuildDate>Fri, 03"
        f" May 2024 08:30:00 +0000</lastBuildDate><generator>Joomla!</generator>{_SELF}<language>en-gb</language>"
        "<managingEditor>ada@news.example (The Brook)</managingEditor>",
        '<ENTRY><title>{title}</title><link>{link}</link><guid isPermaLink="true">{link}</guid><description>{cdata}'
        "</description><author>ada@news.example (Ada)</author><category>{tag}</category><pubDate>{rfc822}</pubDate>"
        "</ENTRY>",
    ),
    "earthquakes": Shape(
        "atom",
        "georss",
        _ATOM_HEAD + "<author><name>Survey</name><uri>https://survey.example</uri></author><rights>None</rights>",
        '<ENTRY><id>urn:survey:{n}</id><title>{title}</title><updated>{iso}</updated><link rel="alternate"'
        ' type="text/html" href="{link}"/><summary type="html">{cdata}</summary><georss:point>24.1 120.6</georss:point>'
        '<georss:elev>-10000</georss:elev><category label="Age" term="Past Day"/>'
        '<category label="Magnitude" term="{tag}"/>'
        "</ENTRY>",
    ),
    "warnings": Shape(
        "atom",
        "cap georss gml",
        _ATOM_HEAD + "<generator>Weather Service</generator>",
        "<ENTRY><id>{link}</id><updated>{iso}</updated><published>{iso}</published><author>"
        "<name>w@weather.example</name>"
        '</author><title>{title}</title><link href="{link}"/><summary>{text}</summary><cap:event>Flood</cap:event>'
        "<cap:effective>{iso}</cap:effective><cap:polygon></cap:polygon><cap:geocode><valueName>UGC</valueName>"
        "<value>1</value></cap:geocode><georss:where><gml:Point><gml:pos>24.1 120.6</gml:pos></gml:Point>"
        "</georss:where>"
        "</ENTRY>",
    ),
    "preprints": Shape(
        "rss",
        "arxiv dc atom content",
        f"{_RSS_HEAD}{_SELF}<docs>http://rss.example/spec</docs><language>en-us</language><skipDays><day>Sunday</day>"
        "<day>Saturday</day></skipDays>",
        "<ENTRY><title>{title}</title><link>{link}</link><description>{text}</description>"
        '<guid isPermaLink="false">oai:arXiv.example:{n}v1</guid><category>{tag}</category><pubDate>{rfc822}</pubDate>'
        "<arxiv:announce_type>new</arxiv:announce_type><dc:rights>http://cc.example/by/4.0/</dc:rights>"
        "<dc:creator>{author}</dc:creator></ENTRY>",
    ),
    # --- sound and video
    "YouTube": Shape(
        "atom",
        "yt media",
        '<link rel="self" href="{self}"/><id>yt:channel:1</id><yt:channelId>1</yt:channelId><title>The Brook</title>'
        '<link rel="alternate" href="{site}"/><author><name>Ada</name><uri>{site}</uri></author>'
        "<published>2014-05-03T08:30:00+00:00</published>",
        "<ENTRY><id>yt:video:{n}</id><yt:videoId>{n}</yt:videoId><yt:channelId>1</yt:channelId><title>{title}</title>"
        '<link rel="alternate" href="{link}"/><author><name>{author}</name><uri>https://video.example/c</uri></author>'
        "<published>{iso}</published><updated>{iso}</updated><media:group><media:title>{title}</media:title>"
        '<media:content url="https://video.example/v/{n}" type="application/x-shockwave-flash" width="640"/>'
        '<media:thumbnail url="https://img.example/{n}.jpg" width="480" height="360"/><media:description>{text}\n\nMore'
        '</media:description><media:community><media:starRating count="3" average="5.00" min="1" max="5"/>'
        '<media:statistics views="7"/></media:community></media:group></ENTRY>',
    ),
    "Vimeo": Shape(
        "rss",
        "media dc atom",
        f"{_RSS_HEAD}<generator>Vimeo</generator>{_SELF}{_IMAGE}",
        f'{_RSS_ITEM}<dc:creator>{{author}}</dc:creator><guid isPermaLink="false">tag:vimeo,2024:clip{{n}}</guid>'
        '<enclosure url="https://video.example/{n}.swf" type="application/x-shockwave-flash"/><description>{html}'
        '</description><media:content><media:player url="https://video.example/{n}"/><media:credit role="author"'
        ' scheme="https://video.example/ada"/>'
        '<media:thumbnail height="166" width="295" url="https://img.example/{n}.jpg"/>'
        "<media:title>{title}</media:title></media:content></ENTRY>",
    ),
    "Flickr": Shape(
        "atom",
        "dc flickr media",
        _ATOM_HEAD + "<icon>https://img.example/i.jpg</icon><subtitle></subtitle>",
        '<ENTRY><title>{title}</title><link rel="alternate" type="text/html" href="{link}"/>'
        "<id>tag:flickr,2005:/{n}</id>"
        '<published>{iso}</published><updated>{iso}</updated><content type="html">{html}</content><author>'
        "<name>{author}"
        "</name><uri>https://photos.example/ada/</uri><flickr:nsid>1@N</flickr:nsid></author>"
        '<link rel="enclosure" type="image/jpeg" href="https://img.example/{n}.jpg"/>'
        '<category term="{tag}" scheme="https://photos.example/tags/"/></ENTRY>',
    ),
    "podcast": Shape(
        "rss",
        "itunes content atom podcast",
        f"{_SELF}{_RSS_HEAD}<language>en</language><copyright>Brook FM</copyright>"
        f"<itunes:author>Brook FM</itunes:author>"
        f"<itunes:type>episodic</itunes:type><itunes:explicit>false</itunes:explicit>{_OWNER}{_TOPICS}"
        '<itunes:image href="https://audio.example/i.jpg"/><podcast:locked>yes</podcast:locked>',
        f"<ENTRY><title>{{title}}</title>{_EPISODE}<itunes:author>Brook FM</itunes:author><description>{{cdata}}"
        f"</description><content:encoded>{{cdata}}</content:encoded>{_SOUND}"
        '<guid isPermaLink="false">Buzz-{n}</guid><pubDate>{rfc822}</pubDate>'
        '<podcast:transcript url="https://audio.example/{n}.vtt" type="text/vtt"/></ENTRY>',
    ),
    "podcast with summaries": Shape(
        "rss",
        "itunes content atom googleplay",
        f"{_RSS_HEAD}{_SELF}{_IMAGE}<itunes:summary>News from the valley</itunes:summary><itunes:subtitle>Daily"
        f"</itunes:subtitle><itunes:keywords>river,bridge</itunes:keywords>{_OWNER}{_TOPICS}",
        f"<ENTRY><title>{{title}}</title><link>{{link}}</link><pubDate>{{rfc822}}</pubDate><guid>{{link}}</guid>"
        f"<description>{{html}}</description><itunes:subtitle>{{text}}</itunes:subtitle><itunes:summary>{{text}}"
        f"</itunes:summary><itunes:keywords>river, bridge</itunes:keywords>{_EPISODE}{_SOUND}</ENTRY>",
    ),
    "podcast of a radio station": Shape(
        "rss",
        "itunes media atom",
        f"{_RSS_HEAD}<itunes:new-feed-url>https://radio.example/p.rss</itunes:new-feed-url>{_IMAGE}{_TOPICS}{_OWNER}",
        f"{_RSS_ITEM}<description>{{text}}</description><itunes:summary>{{text}}</itunes:summary>{_EPISODE}{_SOUND}"
        '<guid isPermaLink="false">urn:radio:{n}</guid><media:content url="https://audio.example/{n}.mp3"'
        ' fileSize="2345678" type="audio/mpeg" medium="audio" expression="full" duration="1867"/></ENTRY>',
    ),
    "podcast with chapters": Shape(
        "rss",
        "itunes content atom psc",
        f"{_RSS_HEAD}{_SELF}{_OWNER}",
        f'{_RSS_ITEM}<guid isPermaLink="false">pod-{{n}}</guid>{_SOUND}{_EPISODE}<description>{{text}}</description>'
        '<psc:chapters version="1.2"><psc:chapter start="00:00:00.000" title="Start"/><psc:chapter start="00:12:30.500"'
        ' title="River" href="https://news.example/"/></psc:chapters><content:encoded>{cdata}</content:encoded>'
        "</ENTRY>",
    ),
    "SoundCloud": Shape(
        "rss",
        "itunes atom",
        f'{_SELF}<atom:link href="{{self}}?before=1" rel="next" type="application/rss+xml"/>{_RSS_HEAD}<ttl>60</ttl>'
        f"<webMaster>feeds@sound.example (Sound)</webMaster>{_IMAGE}",
        '<ENTRY><guid isPermaLink="false">tag:sound.example,2010:tracks/{n}</guid><title>{title}</title>'
        "<pubDate>{rfc822}"
        "</pubDate><link>{link}</link><itunes:duration>00:31:07</itunes:duration>"
        "<itunes:author>{author}</itunes:author>"
        f"<itunes:explicit>no</itunes:explicit><itunes:summary>{{text}}</itunes:summary>"
        f"<description>{{text}}</description>"
        f'{_SOUND}<itunes:image href="https://audio.example/{{n}}.jpg"/></ENTRY>',
    ),
    # --- shops, planets, others
    "Shopify": Shape(
        "atom",
        "s",
        _ATOM_HEAD,
        f'{_ATOM_PLAIN_ENTRY}<s:type>Map</s:type><s:vendor>Brook</s:vendor><summary type="html">{{cdata}}</summary>'
        '<s:variant><id>{link}</id><title>Default</title><s:price currency="EUR">5.00</s:price></s:variant></ENTRY>',
        ' xml:lang="en"',
    ),
    "planet": Shape(
        "atom",
        "",
        _ATOM_HEAD + '<generator uri="http://planet.example/">Planet</generator>',
        f'{_ATOM_ENTRY}{_PERSON}<content type="html">{{html}}</content><source><title>Ada\'s log</title><subtitle>x'
        '</subtitle><link rel="self" href="https://ada.example/feed"/><id>https://ada.example/</id>'
        "<updated>{iso}</updated></source></ENTRY>",
    ),
    "weblog in XHTML": Shape(
        "atom",
        "",
        _ATOM_HEAD,
        f'{_ATOM_ENTRY}{_PERSON}<summary type="text">{{text}}</summary>'
        f'<content type="xhtml">\n{{xhtml}}\n</content></ENTRY>',
    ),
    "plain RSS": Shape("rss", "", _RSS_HEAD, f"{_RSS_ITEM}<description>{{text}}</description></ENTRY>"),
    "RSS that says when to come": Shape(
        "rss",
        "",
        f"{_RSS_HEAD}<docs>http://rss.example/</docs><ttl>1440</ttl><skipHours><hour>0</hour><hour>1</hour></skipHours>"
        "<textInput><title>Search</title><description>x</description><name>q</name><link>{site}s</link></textInput>",
        f"{_RSS_ITEM}<description>{{html}}</description><guid>{{link}}</guid></ENTRY>",
    ),
    # --- RDF
    "Hatena": Shape(
        "rdf",
        "content taxo dc hatena",
        _RSS_HEAD,
        f"{_RDF_ITEM}<description>{{text}}</description><content:encoded>{{html}}</content:encoded>"
        f"<dc:date>{{iso}}</dc:date>"
        "<dc:subject>{tag}</dc:subject><dc:subject>River</dc:subject><hatena:bookmarkcount>31</hatena:bookmarkcount>"
        "<dc:creator>{author}</dc:creator></item>",
        ' xml:lang="ja"',
    ),
    "Slashdot": Shape(
        "rdf",
        "dc slash feedburner",
        f"{_RSS_HEAD}<dc:language>en-us</dc:language><dc:date>2024-05-03T08:30:00+00:00</dc:date><dc:publisher>S"
        '</dc:publisher><image rdf:resource="https://news.example/i.png"/><textinput rdf:resource="{site}s"/>',
        f"{_RDF_ITEM}<description>{{html}}</description><dc:creator>{{author}}</dc:creator><dc:date>{{iso}}</dc:date>"
        "<dc:subject>{tag}</dc:subject><slash:department>from-the-river</slash:department>"
        "<slash:section>news</slash:section><slash:comments>37</slash:comments></item>",
    ),
    "DW": Shape(
        "rdf",
        "dc sy content",
        _RSS_HEAD + "<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>",
        f"{_RDF_ITEM}<description>{{text}}</description><dc:date>{{iso}}</dc:date><dc:subject>{{tag}}</dc:subject>"
        "<dc:language>zh</dc:language></item>",
    ),
    "journal": Shape(
        "rdf",
        "dc prism content cc admin",
        f"{_RSS_HEAD}<dc:publisher>Press</dc:publisher><dc:language>en</dc:language>"
        f"<prism:publicationName>River Studies"
        '</prism:publicationName><admin:generatorAgent rdf:resource="https://press.example/"/>',
        f"{_RDF_ITEM}<content:encoded>{{cdata}}</content:encoded><dc:title>{{named}}</dc:title><dc:creator>{{author}}"
        "</dc:creator><dc:creator>Second Author</dc:creator><dc:identifier>doi:10.1/{n}</dc:identifier>"
        "<dc:source>River Studies (2024)</dc:source><dc:date>2024-05-0{n}</dc:date><prism:doi>10.1/{n}</prism:doi>"
        "<prism:url>{link}</prism:url></item>",
    ),
    "DokuWiki": Shape(
        "rdf",
        "dc",
        f'{_RSS_HEAD}<dc:date>2024-05-03T08:30:00+00:00</dc:date><image rdf:resource="https://news.example/i.ico"/>',
        '<item rdf:about="{link}?rev={n}"><dc:format>text/html</dc:format><dc:date>{iso}</dc:date><dc:creator>{author}'
        "</dc:creator><title>{title}</title><link>{link}?rev={n}</link><description>{html}</description></item>",
    ),
    "Plone": Shape(
        "rdf",
        "dc sy",
        _RSS_HEAD + "<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>1</sy:updateFrequency>",
        f"{_RDF_ITEM}<description>{{text}}</description><dc:publisher>No publisher</dc:publisher><dc:creator>{{author}}"
        "</dc:creator><dc:rights></dc:rights><dc:date>{iso}</dc:date><dc:type>News Item</dc:type></item>",
    ),
    "Movable Type, RDF": Shape(
        "rdf",
        "dc sy admin trackback cc content",
        f"{_RSS_HEAD}<dc:creator>Ada</dc:creator><dc:date>2024-05-03T08:30:00+09:00</dc:date>"
        '<admin:generatorAgent rdf:resource="http://mt.example/?v=3.2"/>',
        f"{_RDF_ITEM}<description>{{text}}</description><content:encoded>\n{{cdata}}\n</content:encoded>"
        "<dc:subject>{tag}</dc:subject><dc:creator>{author}</dc:creator><dc:date>2024-05-0{n}T17:30:00+09:00</dc:date>"
        '<trackback:ping rdf:resource="https://news.example/tb/{n}"/></item>',
    ),
    "portal, RDF": Shape(
        "rdf",
        "dc",
        _RSS_HEAD,
        f"{_RDF_ITEM}<description>{{html}}</description><dc:date>{{iso}}</dc:date></item>",
        ' xml:lang="zh-CN"',
    ),
}
