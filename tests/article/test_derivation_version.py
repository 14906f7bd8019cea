"""A fingerprint names the version of the derivation that made it: a change of the derivation needs a new one."""

import pytest

from kzfeed.article.build import DERIVATION_VERSION, derivation_version_of, fingerprint, first_fingerprint
from kzfeed.article.html.content import plain_text

BODIES = (
    (
        "段落",
        '<div class="a"><p>渡口 的<b>老人</b>撑船。</p><p>  第二段，<a href="/x">有链接</a>，<br/>换行。</p></div>',
    ),
    ("Marks", "Caf&eacute; &amp; bar&nbsp;&#8212; it&#x2019;s &lt;open&gt;.<hr>A soft&shy;ly hy\u200bphenated word."),
    (
        "Time",
        "<p><time datetime='2024-01-02'>46 分钟前</time>　桥断了。</p><p>3 小时前</p><p>An hour ago it stood.</p>",
    ),
    (
        "Unseen",
        "<p>Seen.</p><script>var a = '<p>no</p>';</script><p style='display: none'>Hidden.</p><noscript>No.</noscript>"
        "<!-- no --><svg><title>no</title></svg><p hidden>Nor this.",
    ),
    (
        "Table",
        "<table><caption>Tides</caption><tr><th>Day</th><td>High</td></tr><tr><td>1</td><td>4.2&nbsp;m</td></tr></table>"
        "<ul><li>one<li>two</ul>",
    ),
    ("Kept", "<pre>line one\n  line two</pre><img src='a.jpg' alt='A boat'><figcaption>The boat</figcaption>"),
    (
        "Mirror",
        "<p>正文。</p><p>获取更多RSS：<br><a href='https://feedx.net'>https://feedx.net</a><br>https://feedx.site</p>",
    ),
    ("Broken", "<p>Open <i>and <b>never</i> closed & a < b <span"),
    ("Deleted", "<p>One <del>two</del> three.</p><svg><text>A <tspan>label</tspan></text></svg><s></s>"),
    ("", ""),
)
TEXTS = (
    "渡口 的老人撑船。\n第二段，有链接，\n换行。",
    "Café & bar — it’s <open>.\nA softly hyphenated word.",
    "46 分钟前 桥断了。\n3 小时前\nAn hour ago it stood.",
    "Seen.",
    "Tides\nDay High\n1 4.2 m\none\ntwo",
    "line one\nline two\nThe boat",
    "正文。",
    "Open and never closed & a < b",
    "One two three.",
    "",
)
FINGERPRINTS = {
    1: (
        "37dc7515c84f38dc7c3114e74748cb24dd9d2e8a2227dda61c814c5e389d0577",
        "45d79f899d53fd204997a606503ac577f9a785b31747012d0111d2020abb60a3",
        "5d08447f1357d670caf31b85208bfb884e7631b070fe41171793bbd5592b3c03",
        "31da1adcd501455b46d0f30b8f24644b7a5207df25d30e9bd96ded34b2a194d3",
        "768245c650ae11054e1eb52c23ec2e1d4232ac5b0ac1ada1bedf2757145b9eb9",
        "b1d56894c98e5b354cf23bd1bd13191c63f3477e0043fbe1dcb26ccd289aea24",
        "b4192c7d6de76301a228e354f310cc0c7fa797fd3dbe17c7de36687ee88de5ab",
        "a1959c0eba96a5d340b0b291dee10e045f9296c072c5077cdd9837e3a302182a",
        "7b0c623f0d9aa2c4dc13b08e3eb29149b4e0fc4deb734c9ee8c723962dd53bc9",
        "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
    ),
    2: (
        "2:37dc7515c84f38dc7c3114e74748cb24dd9d2e8a2227dda61c814c5e389d0577",
        "2:06c58f30f08364b0086087f89d4edf780bd8c89dac657f48ad622755d7635cef",
        "2:41025cb34ba2efc2e116c1247ddb3d042d886a654645f18e825ecf78402bc6d0",
        "2:31da1adcd501455b46d0f30b8f24644b7a5207df25d30e9bd96ded34b2a194d3",
        "2:5f5cbb55a87c7d8ecc260d73eeffd2252d641954d9763803658b4940fa688ede",
        "2:4eff68208dede51044f6c9e1de21a4e3487109f9a4cb61d5c2af3a40144ec38d",
        "2:b4192c7d6de76301a228e354f310cc0c7fa797fd3dbe17c7de36687ee88de5ab",
        "2:f6972f21e4a75187fde004b19ba28b1b657b6472a06ae0f92f43116822960dc6",
        "2:4dfe4638b3d1116f9f3b7e21f0ef091a6f65dded51b0b3add17e8e31be6f7d19",
        "2:01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
    ),
}
"""By DERIVATION_VERSION. If one of them differs, raise that and add the new results here."""


def test_another_reading_of_a_body_has_another_number() -> None:
    assert tuple(plain_text(body) for _, body in BODIES) == TEXTS
    assert tuple(fingerprint(title, body) for title, body in BODIES) == FINGERPRINTS[DERIVATION_VERSION]
    assert tuple(first_fingerprint(title, body) for title, body in BODIES) == FINGERPRINTS[1]


@pytest.mark.parametrize(
    ("made", "reading"),
    [("0" * 64, 1), (f"2:{'0' * 64}", 2), ("", None), ("0" * 63, None), (f"0:{'0' * 64}", None), ("G" * 64, None)],
)
def test_a_fingerprint_says_which_reading_made_it(made: str, reading: int | None) -> None:
    assert derivation_version_of(made) == reading
    assert derivation_version_of(fingerprint("t", "<p>x</p>")) == DERIVATION_VERSION
