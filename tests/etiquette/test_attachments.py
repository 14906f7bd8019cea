"""Attachments of podcasts and JSON feeds, authors, languages and tags, from the document to the rows."""

import json

import pytest

from tests.etiquette.conftest import World
from tests.etiquette.recording_server import RecordingServer, Reply
from tests.etiquette.test_windows import query

PODCAST = """<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"
xmlns:media="http://search.yahoo.com/mrss/"><channel><title>播客</title><language>zh-CN</language>
<item><title>一</title><link>https://e.example/1</link><itunes:author>王明</itunes:author>
<enclosure url="https://e.example/1.mp3" length="4718592" type="audio/mpeg"/>
<itunes:duration>1:02:03</itunes:duration>
<itunes:keywords>中亚, 渡船</itunes:keywords>
<media:content url="https://e.example/1.mp4" fileSize="99" type="video/mp4" duration="61.5"/>
<media:content url="https://e.example/1.mp3" duration="7"/>
<description>&lt;audio src="https://e.example/1.mp3"&gt;&lt;/audio&gt;</description></item>
<item><title>二</title><link>https://e.example/2</link>
<enclosure url="https://e.example/2.mp3" length="0" type="audio/mpeg"/>
<media:content url="https://e.example/2.mp3" fileSize="5" duration="6"/>
<enclosure url="https://e.example/2.jpg" type="image/jpeg"/>
<itunes:duration>soon</itunes:duration></item>
</channel></rss>"""

JSON_FEED = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "源",
        "language": "zh-TW",
        "authors": [{"name": "编辑部"}],
        "items": [
            {
                "id": "1",
                "url": "https://e.example/1",
                "title": "一",
                "content_text": "正文",
                "authors": [{"name": "王明"}, {"name": "李红"}],
                "language": "kk",
                "tags": ["中亚", "渡船"],
                "attachments": [
                    {
                        "url": "https://e.example/1.mp3",
                        "mime_type": "audio/mpeg",
                        "size_in_bytes": 4718592,
                        "duration_in_seconds": 3723.5,
                    },
                    {"url": "https://e.example/1.pdf", "mime_type": "application/pdf", "duration_in_seconds": True},
                ],
            },
            {"id": "2", "url": "https://e.example/2", "title": "二", "content_text": "正文"},
        ],
    }
)

MEDIA = """SELECT a.title, m.kind, m.url, m.mime_type, m.size_bytes, m.duration_seconds
FROM media AS m JOIN articles AS a ON a.id = m.article_id ORDER BY m.id"""
TAGS = "SELECT tag FROM tags ORDER BY id"


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_podcast_keeps_type_size_and_duration_of_its_files(
    world_on_each_engine: World, server: RecordingServer, *, is_broken: bool
) -> None:
    world = world_on_each_engine
    # Broken so that neither repair nor the parser of our own can read it.
    document = PODCAST.replace("</channel>", "<a <b></channel>") if is_broken else PODCAST
    world.add_source(server.page("/feed", Reply(200, [], document.encode())))
    world.poll()

    rows = query(world, MEDIA)

    assert rows == [
        ("一", "audio", "https://e.example/1.mp3", "audio/mpeg", 4718592, 3723.0),
        ("一", "video", "https://e.example/1.mp4", "video/mp4", 99, 61.5),
        ("二", "audio", "https://e.example/2.mp3", "audio/mpeg", 5, 6.0),
        ("二", "image", "https://e.example/2.jpg", "image/jpeg", None, None),
    ]
    assert query(world, TAGS) == [("中亚",), ("渡船",)]
    assert query(world, "SELECT author, language FROM articles ORDER BY id")[0] == ("王明", "zh-CN")


def test_a_json_feed_keeps_attachments_authors_languages_and_tags(
    world_on_each_engine: World, server: RecordingServer
) -> None:
    world = world_on_each_engine
    world.add_source(server.page("/feed", Reply(200, [], JSON_FEED.encode())))
    world.poll()

    assert query(world, MEDIA) == [
        ("一", "audio", "https://e.example/1.mp3", "audio/mpeg", 4718592, 3723.5),
        ("一", "enclosure", "https://e.example/1.pdf", "application/pdf", None, None),
    ]
    assert query(world, TAGS) == [("中亚",), ("渡船",)]
    assert query(world, "SELECT author, language FROM articles ORDER BY id") == [
        ("王明, 李红", "kk"),
        ("编辑部", "zh-TW"),
    ]
