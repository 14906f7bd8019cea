"""Articles of hostile publishers: markup and scripts in titles, tags, authors, addresses and bodies."""

from datetime import timedelta
from xml.sax.saxutils import escape

from kzfeed.store.engine import Database
from tests.export.test_restore import NOW, rss, show

SCRIPT = '"><script>window.hacked = 1</script><img src=x onerror="window.hacked=1">'
SINK = "http://sink.example"
"""Where everything of a hostile body points that a browser might load by itself."""

BODIES = (
    f"<script>window.hacked=1</script><script src='{SINK}/1.js'></script>",
    f"<img src='{SINK}/2.png' onerror=window.hacked=1>",
    f"<img srcset='{SINK}/3.png 1x, {SINK}/3b.png 2x' src='{SINK}/3c.png'>",
    f"<picture><source srcset='{SINK}/4.webp'><img src='{SINK}/4.png'></picture>",
    f"<video src='{SINK}/5.mp4' poster='{SINK}/5.png' autoplay></video>",
    f"<audio autoplay><source src='{SINK}/6.mp3'></audio>",
    f"<iframe src='{SINK}/7'>fallback</iframe><iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
    f"<object data='{SINK}/8.swf'><embed src='{SINK}/8b.swf'></object>",
    f"<style>@import '{SINK}/9.css'; body {{ background: url({SINK}/9.png) }}</style>",
    f"<p style='background:url({SINK}/10.png)' class='top' id='main'>style</p>",
    f"<link rel=stylesheet href='{SINK}/11.css'><link rel=preload as=image href='{SINK}/11.png'>",
    f"<meta http-equiv=refresh content='0;url={SINK}/12'><base href='{SINK}/13/'><a href='x'>base</a>",
    f"<svg onload=window.hacked=1><image href='{SINK}/14.png'/><use href='{SINK}/14.svg#x'/></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=window.hacked=1&gt;'>",
    "<a href='javascript:window.hacked=1'>js</a><a href=' java\nscript:window.hacked=1'>js</a>",
    "<a href='data:text/html,<script>opener.hacked=1</script>'>data</a><a href='vbscript:x'>vb</a>",
    f"<form action='{SINK}/17'><input name=q formaction='{SINK}'><button formaction='javascript:1'>x</button></form>",
    f"<table background='{SINK}/18.png'><td background='{SINK}/18b.png'>cell</td></table>",
    f"<a href='{SINK}/19' ping='{SINK}/19b' target=_top onmouseover=window.hacked=1>ping</a>",
    "<noscript><p title='</noscript><img src=x onerror=window.hacked=1>'></noscript>",
    "<template><script>window.hacked=1</script></template><textarea></textarea><script>window.hacked=1</script>",
    "</article></main></body></html><script>window.hacked=1</script>",
    f"<div><!--[if IE]><img src='{SINK}/23.png'><![endif]--></div>",
    f"<body background='{SINK}/24.png' onload=window.hacked=1><p>body</p>",
    f"<input type=image src='{SINK}/25.png'><isindex action='{SINK}'>",
    f"<frameset><frame src='{SINK}/26'></frameset>",
    f"<a href='https://good.example/'><img src='{SINK}/27.png' alt='\"><script>window.hacked=1</script>'></a>",
    "<div>" * 5_000 + "deep",
    f"<p>\u202eevil\u202c {'x' * 3_000}</p>",
    "<xmp><script>window.hacked=1</script></xmp><plaintext><script>window.hacked=1</script>",
    f'<script type=speculationrules>{{"prefetch": [{{"urls": ["{SINK}/31"]}}]}}</script>',
    f"<link rel=preconnect href='{SINK}:32'><link rel=modulepreload href='{SINK}/32.js'>",
    f"<svg><feImage href='{SINK}/33'/><a><animate attributeName=href values='javascript:hacked=1'/></a>",
    f"<svg></p><style><a id=\"</style><img src='{SINK}/34.png' onerror=window.hacked=1>\">",
    f"<!--><img src='{SINK}/35.png' onerror=window.hacked=1>--><![CDATA[<script>window.hacked=1</script>]]>",
    "<details open ontoggle=window.hacked=1><summary>s</summary></details><marquee onstart=window.hacked=1>m</marquee>",
    f"<video controls><track src='{SINK}/37.vtt' default></video><image src='{SINK}/37.png'><bgsound src='{SINK}/37'>",
    f"<scr<script>ipt>window.hacked=1</scr</script>ipt><noscript><img src='{SINK}/38.png'></noscript>",
    "<p id=main class=skip name=q>clobbers</p><h5>no order</h5><h1>in</h1><h3>headings</h3>",
)

NAMES = (
    "<script>window.hacked=1</script>",
    "\"><img src='http://name.sink.example/' onerror='window.hacked=1'>",
    "' autofocus onfocus='window.hacked=1' x='",
    "</title></style></textarea><svg onload=window.hacked=1>",
    "{{ 7 * 7 }}{% raw %}${7*7}#{7*7}",
    "javascript:window.hacked=1//--></script>]]>&amp;&lt;b&gt;",
    "\u202etxt.exe\u202c \u200fمرحبا",
    "%0d%0aSet-Cookie: a=b X: y/../../..?q=1#f&lang=xx",
    "е\u0301\u0301\u0301 " + "long" * 100,
)
"""For titles, tags, authors, and names of sources."""
URLS = (
    "https://evil.example/?q=%22%3E%3Cscript%3Ehacked=1%3C/script%3E&a='b",
    "https://evil.example/a\"onmouseover=window.hacked=1//<b>'`|{}",
    "http://user:secret@evil.example/path;javascript:window.hacked=1",
)
"""For addresses of articles."""


def show_hostile(database: Database) -> None:
    """Store the articles of a hostile publisher, one for each body, with its title, tags and author."""
    items = [
        f"<item><title>{escape(SCRIPT)} {number}</title><link>https://evil.example/{number}?q=&lt;script></link>"
        f"<pubDate>Mon, 10 Jan 2022 {number % 24:02}:00:00 GMT</pubDate><author>{escape(SCRIPT)}</author>"
        f"<category>{escape(SCRIPT)}</category><description>{escape(body)}</description></item>"
        for number, body in enumerate(BODIES)
    ]
    show(database, "evil", rss("evil", items), NOW + timedelta(hours=7))
