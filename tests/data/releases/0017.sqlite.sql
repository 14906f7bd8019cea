BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0017');
CREATE TABLE article_changes (
	id INTEGER NOT NULL, 
	article_id INTEGER NOT NULL, 
	CONSTRAINT pk_article_changes PRIMARY KEY (id), 
	CONSTRAINT fk_article_changes_article_id FOREIGN KEY(article_id) REFERENCES articles (id)
);
INSERT INTO "article_changes" VALUES(1,9);
INSERT INTO "article_changes" VALUES(2,11);
INSERT INTO "article_changes" VALUES(3,13);
CREATE TABLE articles (
	id INTEGER NOT NULL, 
	url_hash TEXT NOT NULL, 
	url TEXT, 
	title TEXT NOT NULL, 
	content TEXT NOT NULL, 
	text TEXT NOT NULL, 
	published_at TEXT, 
	published_raw TEXT, 
	author TEXT, 
	language TEXT, 
	first_seen_at TEXT NOT NULL, 
	last_seen_at TEXT NOT NULL, 
	source_id INTEGER NOT NULL, 
	revision INTEGER NOT NULL, 
	revision_seen_at TEXT NOT NULL, 
	revision_source_id INTEGER NOT NULL, 
	fingerprint TEXT NOT NULL, front_matter TEXT, content_from TEXT, 
	CONSTRAINT pk_articles PRIMARY KEY (id), 
	CONSTRAINT uq_articles_url_hash UNIQUE (url_hash), 
	CONSTRAINT fk_articles_source_id FOREIGN KEY(source_id) REFERENCES sources (id), 
	CONSTRAINT fk_articles_revision_source_id FOREIGN KEY(revision_source_id) REFERENCES sources (id)
);
INSERT INTO "articles" VALUES(1,'2d13f597b4bc4d8f11eac59a024fbf632f1782696a7ebdf4033587e866da27bd','https://wiki.example.com/w/Telegraph_log_(Harbour_office)?view=full&rev=1911(b)&utm_source=feed','Six hyphens in a row: what an old telegraph log can teach a file format','<div class="post"><p>The harbour office of Lower Marrow, a town that exists only in this article, kept its telegraph log for sixty-one years in one format. Every message began with the time, then the sender, then a line of six hyphens. Clerks came and went; the line of hyphens stayed.</p><!-- photo slot: the ledger, open at March 1911 --><p>It worked because nobody ever had to ask where a message started. It also failed, exactly twice, and both failures are worth a minute of anyone''s time who is about to invent a file format.</p><h3>The first failure</h3><p>In the winter of 1911 a ship''s captain sent a cargo list, and used hyphens to rule it off:</p><pre>0915  SS MARGERY
------
SALT    40 BARRELS
ROPE    12 COILS
------
PAID --> AGENT AT QUAY
</pre><p>The night clerk, copying the log into the fair book, took the second rule for the start of a new message without a time or a sender. He wrote <q>sender unknown</q> beside it, and an agent waited nine days for his money.</p><p>Nothing was wrong with the captain''s message. The mistake was to look for the mark everywhere, when it only ever meant something on one line: the one after the sender.</p><h3>The second failure</h3><p>Years later somebody decided to protect the mark, and told the clerks to write <code>- - - - - -</code> whenever six hyphens occurred inside a message. From then on the log no longer held what had been sent. A dispute over a part number that happened to contain hyphens could not be settled, since no one could say which spaces were the sender''s.</p><h3>What to keep</h3><ul><li>A mark has a place. Outside that place it is ordinary text: ------ and --> and &lt;!-- included.</li><li>Do not change what you store so that it fits how you store it.</li><li>Read back what you wrote, and compare.</li></ul><p>The fair book is lost. The log itself survives in two boxes, and can still be read from the first page to the last by anyone who has been told one rule.</p></div>','The harbour office of Lower Marrow, a town that exists only in this article, kept its telegraph log for sixty-one years in one format. Every message began with the time, then the sender, then a line of six hyphens. Clerks came and went; the line of hyphens stayed.
It worked because nobody ever had to ask where a message started. It also failed, exactly twice, and both failures are worth a minute of anyone''s time who is about to invent a file format.
The first failure
In the winter of 1911 a ship''s captain sent a cargo list, and used hyphens to rule it off:
0915 SS MARGERY
------
SALT 40 BARRELS
ROPE 12 COILS
------
PAID --> AGENT AT QUAY
The night clerk, copying the log into the fair book, took the second rule for the start of a new message without a time or a sender. He wrote sender unknown beside it, and an agent waited nine days for his money.
Nothing was wrong with the captain''s message. The mistake was to look for the mark everywhere, when it only ever meant something on one line: the one after the sender.
The second failure
Years later somebody decided to protect the mark, and told the clerks to write - - - - - - whenever six hyphens occurred inside a message. From then on the log no longer held what had been sent. A dispute over a part number that happened to contain hyphens could not be settled, since no one could say which spaces were the sender''s.
What to keep
A mark has a place. Outside that place it is ordinary text: ------ and --> and <!-- included.
Do not change what you store so that it fits how you store it.
Read back what you wrote, and compare.
The fair book is lost. The log itself survives in two boxes, and can still be read from the first page to the last by anyone who has been told one rule.','2024-01-09 08:00:00.250','<!--1704787200250-->',NULL,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',1,1,'2026-11-30 06:49:52.889',1,'2:fe723998197fdca0abad165463a0b19d332a03aa1a1909bfc2503a608e49ea0d',NULL,'file');
INSERT INTO "articles" VALUES(2,'aea7b4d3701a4a2fbaa2bf9ddcc1ec74fc656c64049039162b6ecdf6e06df064','https://voa.example.org/a/island-lighthouse-lit-again-after-restoration-20240305/7013441.html','望潮岛百年灯塔重新点灯，老渔民说夜里回港踏实了','<div><i>Tue, 05 Mar 2024 13:48:30 GMT</i></div><img src="https://images.weserv.nl?url=media.voa.example.org/5F0C1D7E-2A64-4B19-9E0D-8A3F1C6B7D20_r1_s_w900.jpg" width="100%"><div><small style="color: #999;">修复后的灯塔在黄昏时试灯。（2024年3月3日）</small></div><audio src="https://av.voa.example.org/clips/VCH/2024/03/05/0b9e7c14-6a5d-4f38-8c27-d41e9a0f3b66.mp3" controls></audio><div><small style="color: #999;">望潮岛百年灯塔重新点灯，老渔民说夜里回港踏实了</small></div><p>熄灯十一年之后，望潮岛北端的旧灯塔本周恢复夜间点灯。岛上的港务站说，修复工程历时两年，塔身、旋转机构和供电线路都换成了可以在本地维修的部件，往后不必每次坏了都等大陆派船来。</p><p>这座灯塔建于上世纪二十年代，高二十三米，曾是附近三条航道的共同标志。卫星导航普及以后，它的光源先是减弱，继而停用，只在海图上留下一个注明“不可靠”的小圆圈。 </p><p><strong>为什么还要点亮它</strong></p><p>港务站列出的理由很朴素：小船的导航设备常常只有一台，一旦进水或者没电，船老大就只剩下眼睛。去年冬天，一艘载着四个人的舢板在浓雾里绕了六个小时才靠岸，事后的记录写道，如果北端有灯，最多四十分钟就能辨出方向。</p><p>岛上七十六岁的退休渔民老秦（化名）说：“电子地图当然好用，可是灯在那里，人心里有个准头。我们以前数着它的闪光，五秒一次，数到第三次就该转舵。” </p><p><strong>一盏灯要花多少钱</strong></p><p>按照公开的工程账目，修复共花费三百一十万元，其中一半用于加固被盐雾侵蚀的塔基，四分之一用于新的发光装置，其余是两年的人工和运输。新光源的耗电量约为旧灯的十分之一，白天由塔顶的太阳能板充电，阴雨天可以连续工作九夜。</p><p>反对的声音也有。有居民认为，这笔钱本可以先修岛上唯一的卫生所。负责工程的小组回应说，两项工程的款项来源不同，卫生所的改建已经排在明年春天，图纸会在村务栏里贴满三十天，任何人都能提出意见。</p><p>灯塔的值守方式也变了。过去有三户人家轮流住在塔下，现在由港务站远程查看，每月两次派人上塔清洗玻璃、检查电池。站里说，如果灯光中断超过十分钟，系统会同时向附近的船只和岸上的值班员发出通报。</p><p>首夜点灯时，岛上小学的学生在码头上一起数了闪光的次数。老师在黑板上留下的题目是：五秒一闪，一夜要闪多少次？</p><br><hr><div>获取更多RSS：<br><a href="https://feedx.net" style="color:orange" target="_blank">https://feedx.net</a> <br><a href="https://feedx.top" style="color:orange" target="_blank">https://feedx.top</a><br></div>','Tue, 05 Mar 2024 13:48:30 GMT
修复后的灯塔在黄昏时试灯。（2024年3月3日）
望潮岛百年灯塔重新点灯，老渔民说夜里回港踏实了
熄灯十一年之后，望潮岛北端的旧灯塔本周恢复夜间点灯。岛上的港务站说，修复工程历时两年，塔身、旋转机构和供电线路都换成了可以在本地维修的部件，往后不必每次坏了都等大陆派船来。
这座灯塔建于上世纪二十年代，高二十三米，曾是附近三条航道的共同标志。卫星导航普及以后，它的光源先是减弱，继而停用，只在海图上留下一个注明“不可靠”的小圆圈。
为什么还要点亮它
港务站列出的理由很朴素：小船的导航设备常常只有一台，一旦进水或者没电，船老大就只剩下眼睛。去年冬天，一艘载着四个人的舢板在浓雾里绕了六个小时才靠岸，事后的记录写道，如果北端有灯，最多四十分钟就能辨出方向。
岛上七十六岁的退休渔民老秦（化名）说：“电子地图当然好用，可是灯在那里，人心里有个准头。我们以前数着它的闪光，五秒一次，数到第三次就该转舵。”
一盏灯要花多少钱
按照公开的工程账目，修复共花费三百一十万元，其中一半用于加固被盐雾侵蚀的塔基，四分之一用于新的发光装置，其余是两年的人工和运输。新光源的耗电量约为旧灯的十分之一，白天由塔顶的太阳能板充电，阴雨天可以连续工作九夜。
反对的声音也有。有居民认为，这笔钱本可以先修岛上唯一的卫生所。负责工程的小组回应说，两项工程的款项来源不同，卫生所的改建已经排在明年春天，图纸会在村务栏里贴满三十天，任何人都能提出意见。
灯塔的值守方式也变了。过去有三户人家轮流住在塔下，现在由港务站远程查看，每月两次派人上塔清洗玻璃、检查电池。站里说，如果灯光中断超过十分钟，系统会同时向附近的船只和岸上的值班员发出通报。
首夜点灯时，岛上小学的学生在码头上一起数了闪光的次数。老师在黑板上留下的题目是：五秒一闪，一夜要闪多少次？','2024-03-05 14:21:07.000','<!--1709648467000-->',NULL,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',1,1,'2026-11-30 06:49:52.889',1,'2:1be216efbc9ad456eb7b0c068a52b4273e9f0c984ce0e32b05fd0334eb580d21',NULL,'file');
INSERT INTO "articles" VALUES(3,'d13a9265647c589ee04d8db3296ad6a7b7fcf7543f6e242249260471054f5252','https://rfi.example.org/cn/%E4%B8%93%E6%A0%8F%E6%A3%80%E7%B4%A2/%E4%B9%A1%E6%9D%91%E6%9D%A5%E4%BF%A1/20240412-%E4%B8%80%E5%BA%A7%E5%B1%B1%E6%9D%91%E4%B8%BA%E4%BB%80%E4%B9%88%E7%95%99%E7%9D%80%E8%87%AA%E5%B7%B1%E7%9A%84%E5%B9%BF%E6%92%AD%E7%AB%99','一座山村为什么留着自己的广播站？ - 乡村来信','<div>12/04/2024 - 17:33</div>Array<p><strong>在松涛岭，每天早晨六点半和傍晚五点，架在老槐树上的三只喇叭都会准时响起来。天气、班车、谁家的牛走失了，都从这里知道。手机早已普及，村里人却两次投票留下了这座广播站。人类学者艾洛迪·马尚（Élodie Marchand，化名）在这里住了十四个月，她接受了本栏目的书面采访。                </strong></p><div ><p><strong>喇叭里说的，和手机里看的不一样</strong></p><p>问：村里几乎人人都有手机，为什么还需要广播？</p><p><strong>É. Marchand</strong>: “因为两者回答的问题不同。手机告诉你世界上发生了什么，喇叭告诉你今天下午桥能不能走。更重要的是，所有人同时听见同一句话。你知道邻居也知道了，就不必再去问。”</p><p>“我统计过三个月的播音。四成是天气和道路，三成是公共事务，两成是寻人寻物，剩下的是戏曲。没有一条超过两分钟。播音员有一条规矩：念两遍，第二遍慢一点，给正在灶台边的人听。”</p><p><strong>两次投票</strong></p><p>问：第一次投票是在什么情况下举行的？</p><p><strong>É. Marchand</strong>: “那一年线路老化，修一次的钱够买十部手机。有人提议改成群聊。投票结果是六十一比四十四，留下广播。反对留下的人里，多数是在外地工作的年轻人，他们听不到喇叭，群聊对他们更有用。于是第二次投票时加了一条：每天的播音稿要拍照发到群里。这一次是九十八比七。”</p><p><strong>播音稿成了村史</strong></p><p>二十六年的播音稿，装在十九只饼干盒里。纸张从作业本到账簿背面都有，字迹换过五个人。马尚花了半年时间把它们逐页拍照，按日期编号，交给县档案馆一份，村里留一份。她说，最有价值的不是大事，而是反复出现的小事：哪一年开始提醒“不要在晒场停车”，哪一年不再播报拖拉机的出租时间。</p><p> </p><p>档案馆方面表示，这批材料将在明年上半年完成编目，届时可以按年份和事项查询。松涛岭的广播站则在今年春天换了新的线路，三只喇叭仍旧挂在原来的树上。</p><div data-selfpromo-newsletter></div><div data-selfpromo-app></div></div>','12/04/2024 - 17:33
Array
在松涛岭，每天早晨六点半和傍晚五点，架在老槐树上的三只喇叭都会准时响起来。天气、班车、谁家的牛走失了，都从这里知道。手机早已普及，村里人却两次投票留下了这座广播站。人类学者艾洛迪·马尚（Élodie Marchand，化名）在这里住了十四个月，她接受了本栏目的书面采访。
喇叭里说的，和手机里看的不一样
问：村里几乎人人都有手机，为什么还需要广播？
É. Marchand: “因为两者回答的问题不同。手机告诉你世界上发生了什么，喇叭告诉你今天下午桥能不能走。更重要的是，所有人同时听见同一句话。你知道邻居也知道了，就不必再去问。”
“我统计过三个月的播音。四成是天气和道路，三成是公共事务，两成是寻人寻物，剩下的是戏曲。没有一条超过两分钟。播音员有一条规矩：念两遍，第二遍慢一点，给正在灶台边的人听。”
两次投票
问：第一次投票是在什么情况下举行的？
É. Marchand: “那一年线路老化，修一次的钱够买十部手机。有人提议改成群聊。投票结果是六十一比四十四，留下广播。反对留下的人里，多数是在外地工作的年轻人，他们听不到喇叭，群聊对他们更有用。于是第二次投票时加了一条：每天的播音稿要拍照发到群里。这一次是九十八比七。”
播音稿成了村史
二十六年的播音稿，装在十九只饼干盒里。纸张从作业本到账簿背面都有，字迹换过五个人。马尚花了半年时间把它们逐页拍照，按日期编号，交给县档案馆一份，村里留一份。她说，最有价值的不是大事，而是反复出现的小事：哪一年开始提醒“不要在晒场停车”，哪一年不再播报拖拉机的出租时间。
档案馆方面表示，这批材料将在明年上半年完成编目，届时可以按年份和事项查询。松涛岭的广播站则在今年春天换了新的线路，三只喇叭仍旧挂在原来的树上。','2024-04-12 16:52:19.000','<!--1712940739000-->',NULL,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',1,1,'2026-11-30 06:49:52.889',1,'2:6dd892d42e924314e39bd66dcd1603ffb0a6b93290183486e2a4d476408a5238',NULL,'file');
INSERT INTO "articles" VALUES(4,'f9cd01ad8fd72e5e8d6b114a199bc74a4f271e558336273ea0a8eb2e34976f23','https://dev.example.org/notes/2024/markdown-link-in-a-title/#summary','把链接写成 [文字](https://example.org/a) 之后：一份排错笔记','<article><p>上周，我们的小站把三百篇旧文章从数据库搬进了纯文本文件。格式很简单：第一行是时间，第二行是标题和地址，写成方括号加圆括号。搬完以后一数，少了两篇。</p><p>少的两篇有一个共同点：标题里本来就有方括号和圆括号。其中一篇的标题甚至包含了一个完整的链接。读文件的程序看见第一个右括号就以为地址结束了，于是把正文的开头当成了垃圾。</p><h2>错误的读法</h2><p>最初的程序是这样的，从左往右找：</p><pre><code class="language-python">line = next(lines)
title, _, rest = line[1:].partition("](")
url = rest.partition(")")[0]

if not url.startswith("http"):
    raise ValueError(line)   # the two articles ended here
</code></pre><p>它有两处错误。第一，标题里的 <code>](</code> 会被当成分界。第二，地址里的圆括号会被当成结尾，而带圆括号的地址在百科类网站上到处都是。</p><h2>正确的读法</h2><p>从右往左找。行末一定是右圆括号，去掉它；再找最后一个后面跟着网址协议的 <code>](</code>，左边是标题，右边是地址：</p><pre>
  [把链接写成 [文字](https://example.org/a) 之后](https://dev.example.org/notes/…)
  ^                                             ^^
  |                                             |+-- 地址从这里开始
  +-- 标题从这里开始                            +--- 最后一个分界
</pre><p>地址里会不会也出现分界？按照网址标准，路径里的方括号不一定会被编码，所以理论上可能。我们检查了全部旧文章，一例也没有；真的遇到时，程序会停下来指出文件和行号，而不是猜。</p><h2>教训</h2><ol><li>没有转义的格式，要从约束最强的一端读起。</li><li>写出去的每个文件，立刻读回来比较一遍，字节必须相同。</li><li>数一数：搬之前三百篇，搬之后也应该是三百篇。</li></ol><p>第三条最不起眼，却是它发现了问题。</p></article>','上周，我们的小站把三百篇旧文章从数据库搬进了纯文本文件。格式很简单：第一行是时间，第二行是标题和地址，写成方括号加圆括号。搬完以后一数，少了两篇。
少的两篇有一个共同点：标题里本来就有方括号和圆括号。其中一篇的标题甚至包含了一个完整的链接。读文件的程序看见第一个右括号就以为地址结束了，于是把正文的开头当成了垃圾。
错误的读法
最初的程序是这样的，从左往右找：
line = next(lines)
title, _, rest = line[1:].partition("](")
url = rest.partition(")")[0]
if not url.startswith("http"):
raise ValueError(line) # the two articles ended here
它有两处错误。第一，标题里的 ]( 会被当成分界。第二，地址里的圆括号会被当成结尾，而带圆括号的地址在百科类网站上到处都是。
正确的读法
从右往左找。行末一定是右圆括号，去掉它；再找最后一个后面跟着网址协议的 ](，左边是标题，右边是地址：
[把链接写成 [文字](https://example.org/a) 之后](https://dev.example.org/notes/…)
^ ^^
| |+-- 地址从这里开始
+-- 标题从这里开始 +--- 最后一个分界
地址里会不会也出现分界？按照网址标准，路径里的方括号不一定会被编码，所以理论上可能。我们检查了全部旧文章，一例也没有；真的遇到时，程序会停下来指出文件和行号，而不是猜。
教训
没有转义的格式，要从约束最强的一端读起。
写出去的每个文件，立刻读回来比较一遍，字节必须相同。
数一数：搬之前三百篇，搬之后也应该是三百篇。
第三条最不起眼，却是它发现了问题。','2024-06-30 23:59:59.000','<!--1719791999000-->',NULL,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',1,1,'2026-11-30 06:49:52.889',1,'2:e49def72e8358f37f4e65b72b1a0c4a6704f78f1ef66ec4225d79f2e4bde17ae',NULL,'file');
INSERT INTO "articles" VALUES(5,'9116af8a39fa35ca3ada53c82b961294c216d9ec1fb806a8a8edf5fd5e518e66','https://shimbun.example/kiji/2024/0802/aonagi-toshosen.html','島をめぐる図書船「あおなぎ」、十年ぶりに就航へ　本は三千冊','<article lang="ja"><figure><img src="https://img.shimbun.example/2024/0802/aonagi_w1200.jpg" alt="岸壁に係留された白い小型船" width="1200" height="800"><figcaption>改修を終えた図書船「あおなぎ」＝7月31日</figcaption></figure><p>　本を積んで島々をめぐる図書船「あおなぎ」が、九月から十年ぶりに<ruby>就航<rp>（</rp><rt>しゅうこう</rt><rp>）</rp></ruby>する。潮見諸島の五つの町村でつくる広域連合が一日、発表した。船には絵本や農業書など約三千冊を積み、書店も図書館もない十二の島を月に一度ずつ訪れる。</p><p>　初代の図書船は昭和の中ごろに始まった。燃料代の値上がりと利用者の減少で運航をやめたあと、島の学校には寄贈の本だけが残った。連合が二年前に行った調査では、島に住む小学生の六割が「自分で本を選んだことがない」と答えたという。</p><h2>船の上でも借りられる</h2><p>　新しい船は、廃止された定期船を改修した。全長十九メートル。船室の壁に沿って書棚を置き、揺れても本が落ちないよう、棚の前に木の<ruby>桟<rp>（</rp><rt>さん</rt><rp>）</rp></ruby>を渡した。車いすのまま入れる入り口も設けた。</p><p>　貸し出しは一人十冊まで、期間は次の寄港まで。天候で欠航したときは、返却の期限も自動で延びる。読みたい本を前もって頼めば、本土の図書館から取り寄せる。</p><video controls poster="https://img.shimbun.example/2024/0802/aonagi_poster.jpg"><source src="https://movie.shimbun.example/2024/0802/aonagi.mp4" type="video/mp4"></video><h2>課題は船長のなり手</h2><p>　運航費は年に約二千四百万円。半分を連合が、残りを各町村が人口に応じて負担する。いちばんの課題は人手で、船長は定年を過ぎた元漁師の二人が交代で務める。連合の担当者は「五年のうちに若い人に引き継ぎたい」と話す。</p><p>　最初の寄港地は、住民三十四人の小島。港の掲示板には、さっそく本の注文票が貼り出された。</p></article>','改修を終えた図書船「あおなぎ」＝7月31日
本を積んで島々をめぐる図書船「あおなぎ」が、九月から十年ぶりに就航（しゅうこう）する。潮見諸島の五つの町村でつくる広域連合が一日、発表した。船には絵本や農業書など約三千冊を積み、書店も図書館もない十二の島を月に一度ずつ訪れる。
初代の図書船は昭和の中ごろに始まった。燃料代の値上がりと利用者の減少で運航をやめたあと、島の学校には寄贈の本だけが残った。連合が二年前に行った調査では、島に住む小学生の六割が「自分で本を選んだことがない」と答えたという。
船の上でも借りられる
新しい船は、廃止された定期船を改修した。全長十九メートル。船室の壁に沿って書棚を置き、揺れても本が落ちないよう、棚の前に木の桟（さん）を渡した。車いすのまま入れる入り口も設けた。
貸し出しは一人十冊まで、期間は次の寄港まで。天候で欠航したときは、返却の期限も自動で延びる。読みたい本を前もって頼めば、本土の図書館から取り寄せる。
課題は船長のなり手
運航費は年に約二千四百万円。半分を連合が、残りを各町村が人口に応じて負担する。いちばんの課題は人手で、船長は定年を過ぎた元漁師の二人が交代で務める。連合の担当者は「五年のうちに若い人に引き継ぎたい」と話す。
最初の寄港地は、住民三十四人の小島。港の掲示板には、さっそく本の注文票が貼り出された。','2024-08-01 21:30:15.000','<!--1722547815000-->',NULL,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',1,1,'2026-11-30 06:49:52.889',1,'2:3cdd3a1aeecf789da7960262986f25edbe4818f2c51e8c5ee8149da383ff4538',NULL,'file');
INSERT INTO "articles" VALUES(6,'3d24532935447c5b367ff6c4a1e063c92dd8a51c24c07ba7d01a2b362622cec7','https://bbc.example.org/zhongwen/simp/science-68402217','候鸟与城市灯光：北堤市为何在九月关掉高楼的灯','<main role="main"><div></div><div><time dateTime="2024-09-18">38 分钟前</time></div><div><div><div><div><div data-e2e="image-placeholder"><picture><source srcSet="https://ichef.bbc.example.org/news/240/cpsprodpb/7A31/production/_122900417_birds_over_harbour.jpg.webp 240w, https://ichef.bbc.example.org/news/480/cpsprodpb/7A31/production/_122900417_birds_over_harbour.jpg.webp 480w, https://ichef.bbc.example.org/news/800/cpsprodpb/7A31/production/_122900417_birds_over_harbour.jpg.webp 800w" type="image/webp"/><source srcSet="https://ichef.bbc.example.org/news/240/cpsprodpb/7A31/production/_122900417_birds_over_harbour.jpg 240w, https://ichef.bbc.example.org/news/480/cpsprodpb/7A31/production/_122900417_birds_over_harbour.jpg 480w, https://ichef.bbc.example.org/news/800/cpsprodpb/7A31/production/_122900417_birds_over_harbour.jpg 800w" type="image/jpeg"/><img src="https://images.weserv.nl/?url=ichef.bbc.example.org/news/640/cpsprodpb/7A31/production/_122900417_birds_over_harbour.jpg" alt="夜空中的鸟群掠过亮着灯的高楼" sizes="(min-width: 1008px) 645px, 100vw" width="976" height="549"/></picture><p role="text"><span>图像来源，</span><span>Beidi Museum</span></p></div></div><div><p>每年秋天，北堤市上空有数百万只候鸟经过</p></div></div></div></div><div><p><b>从九月的第二个星期起，沿海城市北堤有两百多幢高楼会在夜里十一点以后熄灯，直到天亮。这不是为了省电，而是为了让候鸟认得路。</b></p></div><div><p>北堤位于一条古老的迁徙路线上。鸟类在夜里飞行，靠星光、地磁和地形辨认方向；密集的灯光会让它们偏离航线，围着发亮的玻璃打转，直到筋疲力尽。</p></div><section aria-label="广告 2" aria-hidden="true" role="region" data-e2e="advertisement"><div id="dotcom-mpu"></div></section><div><p>市自然博物馆的志愿者连续六个秋天在清晨巡视同样的四条街道。他们的记录显示，熄灯以前，平均每个早晨能捡到三十七只撞楼的鸟；熄灯以后的第一年降到十四只，第二年是十一只。</p></div><div><ul role="list"><li role="listitem"><a href="https://bbc.example.org/zhongwen/simp/science-67120045">一只大杓鹬怎样不停歇地飞过大洋</a></li><li role="listitem"><a href="https://bbc.example.org/zhongwen/simp/world-66871290">没有路灯的村庄成了观星胜地</a></li></ul></div><div><h2 id="关灯是怎么谈成的" tabindex="-1">关灯是怎么谈成的</h2></div><div><p>最初的倡议只有九幢楼响应。物业担心夜间保安看不清楚，商户担心招牌暗了没有客人。博物馆没有争辩，而是把每天捡到的鸟画在一张地图上，寄给对应的大楼。到了第三年，连最高的一幢也加入了。</p></div><div><div><div><div><div data-e2e="image-placeholder"><div><div></div></div><noscript><picture><source srcSet="https://ichef.bbc.example.org/news/240/cpsprodpb/7A31/production/_122900533_map_of_collisions.jpg.webp 240w, https://ichef.bbc.example.org/news/480/cpsprodpb/7A31/production/_122900533_map_of_collisions.jpg.webp 480w, https://ichef.bbc.example.org/news/800/cpsprodpb/7A31/production/_122900533_map_of_collisions.jpg.webp 800w" type="image/webp"/><source srcSet="https://ichef.bbc.example.org/news/240/cpsprodpb/7A31/production/_122900533_map_of_collisions.jpg 240w, https://ichef.bbc.example.org/news/480/cpsprodpb/7A31/production/_122900533_map_of_collisions.jpg 480w, https://ichef.bbc.example.org/news/800/cpsprodpb/7A31/production/_122900533_map_of_collisions.jpg 800w" type="image/jpeg"/><img src="https://images.weserv.nl/?url=ichef.bbc.example.org/news/640/cpsprodpb/7A31/production/_122900533_map_of_collisions.jpg" alt="标有撞楼地点的街道地图" sizes="(min-width: 1008px) 645px, 100vw" width="1280" height="960"/></picture></noscript></div></div><div><p>志愿者绘制的地图：圆圈越大，撞楼的鸟越多</p></div></div></div></div><div><p>参与的大楼并不需要漆黑一片。指引写得很具体：关掉外墙的装饰灯和顶层的广告，大堂拉上窗帘，必须亮着的灯换成琥珀色，灯口朝下。</p></div><div><h2 id="灯光之外-还有玻璃" tabindex="-1">灯光之外 还有玻璃</h2></div><div><p>熄灯只解决了一半的问题。白天的撞击大多与玻璃的反光有关：鸟看见的是树和天空。北堤的新建筑规范从明年起要求，离地十六米以内的大面积玻璃必须带有间距不超过五厘米的点状图案。</p></div><div><p>一些建筑师抱怨图案破坏外观，另一些人则把它当成设计的一部分。新落成的市图书馆把馆藏目录的首字印在玻璃上，走近了才看得清。</p></div><div><div><div><div><div data-e2e="image-placeholder"><div><div></div></div><noscript><picture><source srcSet="https://ichef.bbc.example.org/news/240/cpsprodpb/7A31/production/_122900610_library_glass.jpg.webp 240w, https://ichef.bbc.example.org/news/480/cpsprodpb/7A31/production/_122900610_library_glass.jpg.webp 480w, https://ichef.bbc.example.org/news/800/cpsprodpb/7A31/production/_122900610_library_glass.jpg.webp 800w" type="image/webp"/><source srcSet="https://ichef.bbc.example.org/news/240/cpsprodpb/7A31/production/_122900610_library_glass.jpg 240w, https://ichef.bbc.example.org/news/480/cpsprodpb/7A31/production/_122900610_library_glass.jpg 480w, https://ichef.bbc.example.org/news/800/cpsprodpb/7A31/production/_122900610_library_glass.jpg 800w" type="image/jpeg"/><img src="https://images.weserv.nl/?url=ichef.bbc.example.org/news/640/cpsprodpb/7A31/production/_122900610_library_glass.jpg" alt="印有细小文字的玻璃幕墙" sizes="(min-width: 1008px) 645px, 100vw" width="976" height="549"/></picture></noscript><p role="text"><span>图像来源，</span><span>Beidi Library</span></p></div></div><div><p>市图书馆的玻璃幕墙，点状图案由文字组成</p></div></div></div></div><div><p>研究者提醒，六年的数据还太短，天气和鸟群本身的起伏都会影响结果。博物馆计划把巡视延长到十五年，并把原始记录放到网上供人核对。</p></div><section aria-label="广告 3" aria-hidden="true" role="region" data-e2e="advertisement"><div id="dotcom-mpu-2"></div></section></main>','38 分钟前
图像来源，Beidi Museum
每年秋天，北堤市上空有数百万只候鸟经过
从九月的第二个星期起，沿海城市北堤有两百多幢高楼会在夜里十一点以后熄灯，直到天亮。这不是为了省电，而是为了让候鸟认得路。
北堤位于一条古老的迁徙路线上。鸟类在夜里飞行，靠星光、地磁和地形辨认方向；密集的灯光会让它们偏离航线，围着发亮的玻璃打转，直到筋疲力尽。
市自然博物馆的志愿者连续六个秋天在清晨巡视同样的四条街道。他们的记录显示，熄灯以前，平均每个早晨能捡到三十七只撞楼的鸟；熄灯以后的第一年降到十四只，第二年是十一只。
一只大杓鹬怎样不停歇地飞过大洋
没有路灯的村庄成了观星胜地
关灯是怎么谈成的
最初的倡议只有九幢楼响应。物业担心夜间保安看不清楚，商户担心招牌暗了没有客人。博物馆没有争辩，而是把每天捡到的鸟画在一张地图上，寄给对应的大楼。到了第三年，连最高的一幢也加入了。
志愿者绘制的地图：圆圈越大，撞楼的鸟越多
参与的大楼并不需要漆黑一片。指引写得很具体：关掉外墙的装饰灯和顶层的广告，大堂拉上窗帘，必须亮着的灯换成琥珀色，灯口朝下。
灯光之外 还有玻璃
熄灯只解决了一半的问题。白天的撞击大多与玻璃的反光有关：鸟看见的是树和天空。北堤的新建筑规范从明年起要求，离地十六米以内的大面积玻璃必须带有间距不超过五厘米的点状图案。
一些建筑师抱怨图案破坏外观，另一些人则把它当成设计的一部分。新落成的市图书馆把馆藏目录的首字印在玻璃上，走近了才看得清。
图像来源，Beidi Library
市图书馆的玻璃幕墙，点状图案由文字组成
研究者提醒，六年的数据还太短，天气和鸟群本身的起伏都会影响结果。博物馆计划把巡视延长到十五年，并把原始记录放到网上供人核对。','2024-09-18 06:12:30.000','<!--1726639950000-->',NULL,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',1,1,'2026-11-30 06:49:52.889',1,'2:6b88ed57c1e6f5a808fa3ba4cdf241382f578b48d601d4fc01e7b419c46753e6',NULL,'file');
INSERT INTO "articles" VALUES(7,'82f8f5c83487afd5db27ef041ae827d2266f36509ab32a2463175481c8ec1e57','https://voa.example.org/a/the-last-ferry-before-the-ice-20241126/7041902.html','河面结冰前的最后一班渡船：云渡河两岸怎样过冬？','<div><i>Tue, 26 Nov 2024 08:30:12 GMT</i></div><img src="https://images.weserv.nl?url=media.voa.example.org/91B3D6A2-77CE-4E0F-A5B8-0C2D9E4F6A13_r1_s_w900.jpg" width="100%"><div><small style="color: #999;">云渡河北岸的渡口，河边已经出现薄冰。（2024年11月24日）</small></div><p>每年十一月底，云渡河上的渡船都要停航四个月。今年的最后一班船定在本周六下午三点，船票早在两周前就已售完。对南岸的六个村子来说，这意味着去县城的路要从二十分钟变成将近三个小时。</p><p><strong>绕行的账</strong></p><p>停航以后，最近的桥在上游四十七公里。跑长途的司机算过，一个来回多烧的油钱相当于当地人一天的工钱。送货的小店因此会在停航前囤下整个冬天的盐、面粉和电池，仓库不够的，就借邻居的空屋。</p><div ><img  src="https://images.weserv.nl?url=media.voa.example.org/C48E20F7-1D3B-49A6-B7F5-6E9A0D8C2B31_w900.jpg" alt="南岸村民在停航前搬运过冬物资(资料照片)" border="0"/><div><small style="color: #999;">南岸村民在停航前搬运过冬物资(资料照片)</small></div></div><p>更难算的是人情的账。渡口的售票员说，每年最后一班船上总有几位老人不买东西、不探亲，只是到对岸坐一坐，再跟着船回来。“他们说，要看一眼那边，才算过完这一年。”</p><p><strong>冰上能不能走</strong></p><p>按照县里的规定，只有冰层连续七天超过二十五厘米，才允许步行过河；车辆一律不准上冰。测冰的办法是在十二个固定的点上钻孔，每天早上七点由两个人一起读数，互相签字。过去五个冬天里，能够步行的日子分别是四十一天、三十八天、十九天、二十二天和九天。</p><p>天气变暖让这条冬天的路越来越靠不住。当地的水文站整理了六十年的封冻记录，发现河面完全封冻的日期平均推迟了十六天，解冻的日期则提前了十一天。站里的工程师提醒说，平均数会掩盖更危险的事：冰层时厚时薄，一夜之间就可能变化。</p><p><strong>桥修不修</strong></p><p>建桥的提议已经讨论了二十多年。最近的一份方案认为，南岸常住人口不足四千，建桥的费用要到八十年后才能收回；另一份方案则主张先买一艘可以破薄冰的小船，把停航期缩短到两个月。两份方案都公开征求意见，截止日期是明年一月的最后一天。</p><p>在那以前，六个村子仍旧按老办法过冬：药品提前登记，孕妇提前过河，学校把期末考试安排在停航之前。</p><br><hr><div>获取更多RSS：<br><a href="https://feedx.net" style="color:orange" target="_blank">https://feedx.net</a> <br><a href="https://feedx.site" style="color:orange" target="_blank">https://feedx.site</a><br></div>','Tue, 26 Nov 2024 08:30:12 GMT
云渡河北岸的渡口，河边已经出现薄冰。（2024年11月24日）
每年十一月底，云渡河上的渡船都要停航四个月。今年的最后一班船定在本周六下午三点，船票早在两周前就已售完。对南岸的六个村子来说，这意味着去县城的路要从二十分钟变成将近三个小时。
绕行的账
停航以后，最近的桥在上游四十七公里。跑长途的司机算过，一个来回多烧的油钱相当于当地人一天的工钱。送货的小店因此会在停航前囤下整个冬天的盐、面粉和电池，仓库不够的，就借邻居的空屋。
南岸村民在停航前搬运过冬物资(资料照片)
更难算的是人情的账。渡口的售票员说，每年最后一班船上总有几位老人不买东西、不探亲，只是到对岸坐一坐，再跟着船回来。“他们说，要看一眼那边，才算过完这一年。”
冰上能不能走
按照县里的规定，只有冰层连续七天超过二十五厘米，才允许步行过河；车辆一律不准上冰。测冰的办法是在十二个固定的点上钻孔，每天早上七点由两个人一起读数，互相签字。过去五个冬天里，能够步行的日子分别是四十一天、三十八天、十九天、二十二天和九天。
天气变暖让这条冬天的路越来越靠不住。当地的水文站整理了六十年的封冻记录，发现河面完全封冻的日期平均推迟了十六天，解冻的日期则提前了十一天。站里的工程师提醒说，平均数会掩盖更危险的事：冰层时厚时薄，一夜之间就可能变化。
桥修不修
建桥的提议已经讨论了二十多年。最近的一份方案认为，南岸常住人口不足四千，建桥的费用要到八十年后才能收回；另一份方案则主张先买一艘可以破薄冰的小船，把停航期缩短到两个月。两份方案都公开征求意见，截止日期是明年一月的最后一天。
在那以前，六个村子仍旧按老办法过冬：药品提前登记，孕妇提前过河，学校把期末考试安排在停航之前。','2024-11-26 09:05:44.000','<!--1732611944000-->',NULL,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',1,1,'2026-11-30 06:49:52.889',1,'2:b3e5ab17a6722915725fd52d0ebacf96e43498bc5e15c7c4e5968e4e74215212',NULL,'file');
INSERT INTO "articles" VALUES(8,'07676f8ab75d236d2c34e67eafbaccc0fa10f43cb94b74fd83003ea2fd590412','https://notes.example.com/@tide-reader/%E8%AE%80%E6%9B%B8%E7%AD%86%E8%A8%98-%E8%88%8A%E6%9B%86%E6%9C%AC%E8%A3%A1%E7%9A%84%E6%BD%AE%E6%B1%90%E8%A1%A8-bafyreib4t1de5','[讀書筆記]舊曆本（1987 年版）裡的潮汐表 (附圖)，到底該怎麼讀？','<div>
<figure class="image"><picture><source type="image/webp" media="(min-width: 768px)" srcset="https://assets.notes.example.com/processed/1080w/embed/3c1f8a52.webp"><img src="https://assets.notes.example.com/embed/3c1f8a52.jpeg" alt="翻開的舊曆本" loading="lazy"></picture><figcaption><span>翻開的舊曆本，左頁是節氣，右頁是潮汐</span></figcaption></figure>
<p>整理外婆的抽屜時，找到一本一九八七年的曆本。封面已經脫落，裡面夾著藥單、公車票，還有一張寫滿數字的紙。數字旁邊只有兩個字：「大流」。</p>
<p>住在海邊的人都知道，初一、十五前後潮差最大，叫大潮或大流；初八、廿三前後最小，叫小潮。曆本右頁的小表，就是把這件事寫成可以查的格式。</p>
<h3>表裡有什麼</h3>
<p>每一天一行，分成四欄：</p>
<ul>
<li>農曆日期，用來對月相</li>
<li>早潮滿潮的時刻</li>
<li>晚潮滿潮的時刻</li>
<li>潮高，單位是公尺，以當地的基準面起算</li>
</ul>
<p>麻煩在第二欄。表上的時刻不是本地的，而是最近一個驗潮站的。外婆家在內灣，水要晚四十分鐘才到，所以那張紙上的數字，每一個都比表上大了四十。</p>
<blockquote><p>先看月，再看表，最後看灣口的石頭。</p></blockquote>
<p>這句話寫在封底內頁，字跡是外公的。灣口有三塊石頭，露出兩塊可以行船，只露一塊就要等。</p>
<h3>今天還用得著嗎</h3>
<p>現在的預報當然準得多，也會把地形算進去。不過我試著用舊方法推了十天：滿潮時刻平均差十二分鐘，最多差二十六分鐘。對於去灘上撿蛤蜊的人來說，這已經夠了。</p>
<p>曆本我打算掃描下來，原件交給鎮上的文史室。如果你家也有類似的東西，請不要急著丟：先看看空白的地方寫了什麼。</p>
</div>','翻開的舊曆本，左頁是節氣，右頁是潮汐
整理外婆的抽屜時，找到一本一九八七年的曆本。封面已經脫落，裡面夾著藥單、公車票，還有一張寫滿數字的紙。數字旁邊只有兩個字：「大流」。
住在海邊的人都知道，初一、十五前後潮差最大，叫大潮或大流；初八、廿三前後最小，叫小潮。曆本右頁的小表，就是把這件事寫成可以查的格式。
表裡有什麼
每一天一行，分成四欄：
農曆日期，用來對月相
早潮滿潮的時刻
晚潮滿潮的時刻
潮高，單位是公尺，以當地的基準面起算
麻煩在第二欄。表上的時刻不是本地的，而是最近一個驗潮站的。外婆家在內灣，水要晚四十分鐘才到，所以那張紙上的數字，每一個都比表上大了四十。
先看月，再看表，最後看灣口的石頭。
這句話寫在封底內頁，字跡是外公的。灣口有三塊石頭，露出兩塊可以行船，只露一塊就要等。
今天還用得著嗎
現在的預報當然準得多，也會把地形算進去。不過我試著用舊方法推了十天：滿潮時刻平均差十二分鐘，最多差二十六分鐘。對於去灘上撿蛤蜊的人來說，這已經夠了。
曆本我打算掃描下來，原件交給鎮上的文史室。如果你家也有類似的東西，請不要急著丟：先看看空白的地方寫了什麼。',NULL,NULL,NULL,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',1,1,'2026-11-30 06:49:52.889',1,'2:d700aac54b151a30c102e15390f5db8c3a8a346402a3d94b172fc2c9c09d9fb2',NULL,'file');
INSERT INTO "articles" VALUES(9,'3599b537ebc88c49a3f4af3150a9235f32e2c1c0fd25935fae10fbed787d1578','https://harbour.example/2','Second one','<p>第二篇，后来补充了一段。</p>','第二篇，后来补充了一段。','2022-01-11 04:00:00.000','2022-01-11T12:00:00+08:00','李明',NULL,'2026-11-30 06:49:54.317','2026-11-30 06:49:57.871',3,2,'2026-11-30 06:49:57.871',3,'2:36f7db4424be00e7df572ec2706266696ac43d1854a0f634cd1564b9b7c9d8dc',NULL,'feed');
INSERT INTO "articles" VALUES(10,'50e2906a7ef584c2b495dd0da3dbc259d1a1bf797bb6ac0ed4d4113d315079d8','https://harbour.example/1','First','Summary only.','Summary only.','2022-01-10 00:00:00.000','2022-01-10T00:00:00Z',NULL,NULL,'2026-11-30 06:49:54.317','2026-11-30 06:49:57.871',3,1,'2026-11-30 06:49:54.317',3,'2:cf81337290f9a1d040a9ad19f1251cbe7f3c752d0295f64ef2092392790a32f9',NULL,'feed');
INSERT INTO "articles" VALUES(11,'3609e64913d600348b0fdb753c681687b263d607971d1e1c5c88afbc3fc5228b','https://light.example/2','灯塔','<p>灯塔亮了，后来补充了一段。</p>','灯塔亮了，后来补充了一段。','2022-01-11 10:00:00.000','2022-01-11T10:00:00Z',NULL,NULL,'2026-11-30 06:49:54.634','2026-11-30 06:49:58.543',4,2,'2026-11-30 06:49:58.543',4,'2:031ee72b72691cbe715841c8267de23f83ec95e84dd4a5fcc9b5dc968a941447',NULL,'feed');
INSERT INTO "articles" VALUES(12,'070d16bed6d20ddf0c7854fde83bfebbe125967193c7c18858610662a49cbe23','https://light.example/1','','An entry without a title.','An entry without a title.','2022-01-10 10:00:00.000','2022-01-10T10:00:00Z',NULL,NULL,'2026-11-30 06:49:54.634','2026-11-30 06:49:58.543',4,1,'2026-11-30 06:49:54.634',4,'2:a7370f202ffdaf81f9a2d9492c5a7edb09ac45ac1dd6b6d4187de3c65b809e7b',NULL,'feed');
INSERT INTO "articles" VALUES(13,'7d2d742404cd2fd8309d64d5ad7fb13d6276ee331a681fef14c9f64faba5ea04','https://ferry.example/2','渡轮停航','<p>大风中渡轮停航，后来补充了一段。</p><p><img src="https://ferry.example/2.jpg" alt=""></p>','大风中渡轮停航，后来补充了一段。','2022-01-11 17:39:03.000','Tue, 11 Jan 2022 17:39:03 GMT',NULL,NULL,'2026-11-30 06:49:54.649','2026-11-30 06:49:58.561',2,2,'2026-11-30 06:49:58.561',2,'2:5c59c4e4187a6b0efc089cb9d96cc7207170e54d4b3e3f289488f21204349c76',NULL,'feed');
INSERT INTO "articles" VALUES(14,'7044ee94d1d1035e807036f91784ced438af9a3407c37b3d87ed8ea43b8aff1c','https://ferry.example/1?utm_source=rss','A ferry & a storm','Plain text of the entry.','Plain text of the entry.','2022-01-09 23:00:00.000','Mon, 10 Jan 2022 07:00:00 +0800',NULL,NULL,'2026-11-30 06:49:54.649','2026-11-30 06:49:58.561',2,1,'2026-11-30 06:49:54.649',2,'2:386258dee9a5e6186132f2887ed84d328d09e8134b94f0b109b350f346200b7c',NULL,'feed');
INSERT INTO "articles" VALUES(15,'ae1ade8d67e41ea290bc89efd4656a62686428c1822d8c0ff07b23ba14a39b05','https://ferry.example/0','Without a date','<b>Bold</b> &amp; more','Bold & more',NULL,NULL,NULL,NULL,'2026-11-30 06:49:54.649','2026-11-30 06:49:58.561',2,1,'2026-11-30 06:49:54.649',2,'2:98ce0b446f1402c82e4e9d17c9929ca906e04f2d01d2ca630e963f38a8265103',NULL,'feed');
INSERT INTO "articles" VALUES(16,'590d3b875fc4b5bd4f1b13a25ece860afdb028657d59bc4c0a11d9b927511ebe','https://harbour.example/3','Third','<p>Three.</p>','Three.','2022-01-12 09:00:00.000','2022-01-12T09:00:00Z',NULL,NULL,'2026-11-30 06:49:57.871','2026-11-30 06:49:57.871',3,1,'2026-11-30 06:49:57.871',3,'2:01046beadc118a0a63eac40ab47c7b42698dde5152088d77e46acc9a1c2930cb',NULL,'feed');
INSERT INTO "articles" VALUES(17,'78d35b354748a4abc621019309b878cb7f52c2ce461cc27db8d65a4f732e138f','https://ferry.example/3','渡轮恢复','<p>渡轮今天恢复了。</p>','渡轮今天恢复了。','2022-01-12 08:00:00.000','Wed, 12 Jan 2022 08:00:00 GMT',NULL,NULL,'2026-11-30 06:49:58.561','2026-11-30 06:49:58.561',2,1,'2026-11-30 06:49:58.561',2,'2:bb8dcda2c8405419fa461e9de2a8f1b05e1f18b161436d7e5d6e0de9079fd9f7',NULL,'feed');
CREATE TABLE claims (
	source_id INTEGER NOT NULL, 
	host TEXT NOT NULL, 
	claimed_by TEXT NOT NULL, 
	claimed_until TEXT NOT NULL, 
	CONSTRAINT pk_claims PRIMARY KEY (source_id), 
	CONSTRAINT fk_claims_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE TABLE daemons (
	name TEXT NOT NULL, 
	version TEXT NOT NULL, 
	started_at TEXT NOT NULL, 
	seen_at TEXT NOT NULL, offline_since TEXT, 
	CONSTRAINT pk_daemons PRIMARY KEY (name)
);
CREATE TABLE day_counts (
	day DATE NOT NULL, 
	source_id INTEGER NOT NULL, 
	articles INTEGER NOT NULL, 
	undated INTEGER NOT NULL, 
	first_seen INTEGER NOT NULL, 
	new_versions INTEGER NOT NULL, 
	CONSTRAINT pk_day_counts PRIMARY KEY (day, source_id), 
	CONSTRAINT fk_day_counts_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);
INSERT INTO "day_counts" VALUES('2024-01-09',1,1,0,0,0);
INSERT INTO "day_counts" VALUES('2024-03-05',1,1,0,0,0);
INSERT INTO "day_counts" VALUES('2024-04-12',1,1,0,0,0);
INSERT INTO "day_counts" VALUES('2024-06-30',1,1,0,0,0);
INSERT INTO "day_counts" VALUES('2024-08-01',1,1,0,0,0);
INSERT INTO "day_counts" VALUES('2024-09-18',1,1,0,0,0);
INSERT INTO "day_counts" VALUES('2024-11-26',1,1,0,0,0);
INSERT INTO "day_counts" VALUES('2026-11-30',1,0,1,8,0);
INSERT INTO "day_counts" VALUES('2022-01-10',3,1,0,0,0);
INSERT INTO "day_counts" VALUES('2022-01-11',3,1,0,0,0);
INSERT INTO "day_counts" VALUES('2026-11-30',3,0,0,3,1);
INSERT INTO "day_counts" VALUES('2022-01-10',4,1,0,0,0);
INSERT INTO "day_counts" VALUES('2022-01-11',4,1,0,0,0);
INSERT INTO "day_counts" VALUES('2026-11-30',4,0,0,2,1);
INSERT INTO "day_counts" VALUES('2022-01-09',2,1,0,0,0);
INSERT INTO "day_counts" VALUES('2022-01-11',2,1,0,0,0);
INSERT INTO "day_counts" VALUES('2026-11-30',2,0,1,4,1);
INSERT INTO "day_counts" VALUES('2022-01-12',3,1,0,0,0);
INSERT INTO "day_counts" VALUES('2022-01-12',2,1,0,0,0);
CREATE TABLE filtered_entries (
	source_id INTEGER NOT NULL, 
	url_hash TEXT NOT NULL, 
	published_at TEXT, 
	guid TEXT, 
	fingerprint TEXT NOT NULL, 
	first_seen_at TEXT NOT NULL, 
	CONSTRAINT pk_filtered_entries PRIMARY KEY (source_id, url_hash), 
	CONSTRAINT fk_filtered_entries_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE TABLE former_dates (
	id INTEGER NOT NULL, 
	article_id INTEGER NOT NULL, 
	published_at TEXT, 
	published_raw TEXT, 
	replaced_at TEXT NOT NULL, 
	source_id INTEGER NOT NULL, 
	CONSTRAINT pk_former_dates PRIMARY KEY (id), 
	CONSTRAINT fk_former_dates_article_id FOREIGN KEY(article_id) REFERENCES articles (id), 
	CONSTRAINT fk_former_dates_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE TABLE gaps (
	id INTEGER NOT NULL, 
	source_id INTEGER NOT NULL, 
	from_at TEXT NOT NULL, 
	to_at TEXT NOT NULL, 
	noticed_at TEXT NOT NULL, 
	CONSTRAINT pk_gaps PRIMARY KEY (id), 
	CONSTRAINT fk_gaps_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE TABLE host_queue (
	host TEXT NOT NULL, 
	due_at TEXT, 
	CONSTRAINT pk_host_queue PRIMARY KEY (host)
);
INSERT INTO "host_queue" VALUES('127.0.0.1','2026-11-30 07:49:59.827');
CREATE TABLE hosts (
	host TEXT NOT NULL, 
	paused_until TEXT NOT NULL, 
	CONSTRAINT pk_hosts PRIMARY KEY (host)
);
CREATE TABLE media (
	id INTEGER NOT NULL, 
	article_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	url TEXT NOT NULL, 
	proxy_url TEXT, 
	mime_type TEXT, 
	size_bytes BIGINT, duration_seconds DOUBLE, 
	CONSTRAINT pk_media PRIMARY KEY (id), 
	CONSTRAINT fk_media_article_id FOREIGN KEY(article_id) REFERENCES articles (id)
);
INSERT INTO "media" VALUES(1,2,'image','https://media.voa.example.org/5F0C1D7E-2A64-4B19-9E0D-8A3F1C6B7D20_r1_s_w900.jpg','https://images.weserv.nl?url=media.voa.example.org/5F0C1D7E-2A64-4B19-9E0D-8A3F1C6B7D20_r1_s_w900.jpg',NULL,NULL,NULL);
INSERT INTO "media" VALUES(2,2,'audio','https://av.voa.example.org/clips/VCH/2024/03/05/0b9e7c14-6a5d-4f38-8c27-d41e9a0f3b66.mp3',NULL,NULL,NULL,NULL);
INSERT INTO "media" VALUES(3,5,'image','https://img.shimbun.example/2024/0802/aonagi_w1200.jpg',NULL,NULL,NULL,NULL);
INSERT INTO "media" VALUES(4,5,'video','https://movie.shimbun.example/2024/0802/aonagi.mp4',NULL,'video/mp4',NULL,NULL);
INSERT INTO "media" VALUES(5,6,'image','https://ichef.bbc.example.org/news/640/cpsprodpb/7A31/production/_122900417_birds_over_harbour.jpg','https://images.weserv.nl/?url=ichef.bbc.example.org/news/640/cpsprodpb/7A31/production/_122900417_birds_over_harbour.jpg',NULL,NULL,NULL);
INSERT INTO "media" VALUES(6,6,'image','https://ichef.bbc.example.org/news/640/cpsprodpb/7A31/production/_122900533_map_of_collisions.jpg','https://images.weserv.nl/?url=ichef.bbc.example.org/news/640/cpsprodpb/7A31/production/_122900533_map_of_collisions.jpg',NULL,NULL,NULL);
INSERT INTO "media" VALUES(7,6,'image','https://ichef.bbc.example.org/news/640/cpsprodpb/7A31/production/_122900610_library_glass.jpg','https://images.weserv.nl/?url=ichef.bbc.example.org/news/640/cpsprodpb/7A31/production/_122900610_library_glass.jpg',NULL,NULL,NULL);
INSERT INTO "media" VALUES(8,7,'image','https://media.voa.example.org/91B3D6A2-77CE-4E0F-A5B8-0C2D9E4F6A13_r1_s_w900.jpg','https://images.weserv.nl?url=media.voa.example.org/91B3D6A2-77CE-4E0F-A5B8-0C2D9E4F6A13_r1_s_w900.jpg',NULL,NULL,NULL);
INSERT INTO "media" VALUES(9,7,'image','https://media.voa.example.org/C48E20F7-1D3B-49A6-B7F5-6E9A0D8C2B31_w900.jpg','https://images.weserv.nl?url=media.voa.example.org/C48E20F7-1D3B-49A6-B7F5-6E9A0D8C2B31_w900.jpg',NULL,NULL,NULL);
INSERT INTO "media" VALUES(10,8,'image','https://assets.notes.example.com/embed/3c1f8a52.jpeg',NULL,NULL,NULL,NULL);
INSERT INTO "media" VALUES(11,13,'image','https://ferry.example/2.jpg',NULL,NULL,NULL,NULL);
INSERT INTO "media" VALUES(12,14,'audio','https://ferry.example/1.mp3',NULL,'audio/mpeg',1234,NULL);
CREATE TABLE page_fetches (
	article_id INTEGER NOT NULL, 
	source_id INTEGER NOT NULL, 
	host TEXT NOT NULL, 
	next_try_at TEXT, 
	tries INTEGER NOT NULL, 
	tried_at TEXT, 
	fetched_at TEXT, 
	outcome TEXT, 
	error TEXT, 
	claimed_by TEXT, 
	claimed_until TEXT, 
	CONSTRAINT pk_page_fetches PRIMARY KEY (article_id), 
	CONSTRAINT fk_page_fetches_article_id FOREIGN KEY(article_id) REFERENCES articles (id), 
	CONSTRAINT fk_page_fetches_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE TABLE poll_days (
	day DATE NOT NULL, 
	source_id INTEGER NOT NULL, 
	polls INTEGER NOT NULL, 
	with_news INTEGER NOT NULL, 
	not_modified INTEGER NOT NULL, 
	duration_ms BIGINT NOT NULL, 
	bytes BIGINT NOT NULL, 
	new_articles INTEGER NOT NULL, 
	revised_articles INTEGER NOT NULL, 
	filtered INTEGER NOT NULL, 
	CONSTRAINT pk_poll_days PRIMARY KEY (day, source_id), 
	CONSTRAINT fk_poll_days_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE TABLE polls (
	id INTEGER NOT NULL, 
	source_id INTEGER NOT NULL, 
	started_at TEXT NOT NULL, 
	duration_ms INTEGER NOT NULL, 
	outcome TEXT NOT NULL, 
	http_status INTEGER, 
	bytes BIGINT NOT NULL, 
	entries INTEGER NOT NULL, 
	new_articles INTEGER NOT NULL, 
	revised_articles INTEGER NOT NULL, 
	error_kind TEXT, 
	error TEXT, flaw TEXT, filtered INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_polls PRIMARY KEY (id), 
	CONSTRAINT fk_polls_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);
INSERT INTO "polls" VALUES(1,3,'2026-11-30 06:49:54.262',55,'new',200,869,2,2,0,NULL,NULL,NULL,0);
INSERT INTO "polls" VALUES(2,4,'2026-11-30 06:49:54.333',301,'new',200,450,2,2,0,NULL,NULL,NULL,0);
INSERT INTO "polls" VALUES(3,2,'2026-11-30 06:49:54.644',5,'new',200,1247,3,3,0,NULL,NULL,NULL,0);
INSERT INTO "polls" VALUES(4,3,'2026-11-30 06:49:57.808',64,'new',200,911,3,1,1,NULL,NULL,NULL,0);
INSERT INTO "polls" VALUES(5,4,'2026-11-30 06:49:58.006',537,'new',200,474,2,0,1,NULL,NULL,NULL,0);
INSERT INTO "polls" VALUES(6,2,'2026-11-30 06:49:58.555',7,'new',200,1289,4,1,1,NULL,NULL,NULL,0);
CREATE TABLE revisions (
	article_id INTEGER NOT NULL, 
	revision INTEGER NOT NULL, 
	title TEXT NOT NULL, 
	content TEXT NOT NULL, 
	text TEXT NOT NULL, 
	seen_at TEXT NOT NULL, 
	source_id INTEGER NOT NULL, published_at TEXT, published_raw TEXT, front_matter TEXT, content_from TEXT, 
	CONSTRAINT pk_revisions PRIMARY KEY (article_id, revision), 
	CONSTRAINT fk_revisions_article_id FOREIGN KEY(article_id) REFERENCES articles (id), 
	CONSTRAINT fk_revisions_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);
INSERT INTO "revisions" VALUES(9,1,'Second one','<p>第二篇。</p>','第二篇。','2026-11-30 06:49:54.317',3,'2022-01-11 04:00:00.000','2022-01-11T12:00:00+08:00',NULL,'feed');
INSERT INTO "revisions" VALUES(11,1,'灯塔','<p>灯塔亮了。</p>','灯塔亮了。','2026-11-30 06:49:54.634',4,'2022-01-11 10:00:00.000','2022-01-11T10:00:00Z',NULL,'feed');
INSERT INTO "revisions" VALUES(13,1,'渡轮停航','<p>大风中渡轮停航。</p><p><img src="https://ferry.example/2.jpg" alt=""></p>','大风中渡轮停航。','2026-11-30 06:49:54.649',2,'2022-01-11 17:39:03.000','Tue, 11 Jan 2022 17:39:03 GMT',NULL,'feed');
CREATE TABLE robots_txt (
	origin TEXT NOT NULL, 
	fetched_at TEXT NOT NULL, 
	rules TEXT, 
	error TEXT, 
	CONSTRAINT pk_robots_txt PRIMARY KEY (origin)
);
CREATE TABLE row_counts (
	table_name TEXT NOT NULL, 
	row_count BIGINT NOT NULL, 
	CONSTRAINT pk_row_counts PRIMARY KEY (table_name)
);
INSERT INTO "row_counts" VALUES('sources',4);
INSERT INTO "row_counts" VALUES('source_addresses',3);
INSERT INTO "row_counts" VALUES('articles',17);
INSERT INTO "row_counts" VALUES('revisions',3);
INSERT INTO "row_counts" VALUES('sightings',17);
INSERT INTO "row_counts" VALUES('media',12);
INSERT INTO "row_counts" VALUES('tags',2);
INSERT INTO "row_counts" VALUES('polls',6);
INSERT INTO "row_counts" VALUES('gaps',0);
INSERT INTO "row_counts" VALUES('withdrawals',0);
INSERT INTO "row_counts" VALUES('former_dates',0);
INSERT INTO "row_counts" VALUES('article_changes',3);
INSERT INTO "row_counts" VALUES('page_fetches',0);
INSERT INTO "row_counts" VALUES('poll_days',0);
CREATE TABLE sightings (
	article_id INTEGER NOT NULL, 
	source_id INTEGER NOT NULL, 
	guid TEXT, 
	first_seen_at TEXT NOT NULL, 
	last_seen_at TEXT NOT NULL, 
	withdrawn_at TEXT, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_sightings PRIMARY KEY (article_id, source_id), 
	CONSTRAINT fk_sightings_article_id FOREIGN KEY(article_id) REFERENCES articles (id), 
	CONSTRAINT fk_sightings_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);
INSERT INTO "sightings" VALUES(1,1,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',NULL,1);
INSERT INTO "sightings" VALUES(2,1,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',NULL,1);
INSERT INTO "sightings" VALUES(3,1,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',NULL,1);
INSERT INTO "sightings" VALUES(4,1,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',NULL,1);
INSERT INTO "sightings" VALUES(5,1,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',NULL,1);
INSERT INTO "sightings" VALUES(6,1,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',NULL,1);
INSERT INTO "sightings" VALUES(7,1,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',NULL,1);
INSERT INTO "sightings" VALUES(8,1,NULL,'2026-11-30 06:49:52.889','2026-11-30 06:49:52.889',NULL,1);
INSERT INTO "sightings" VALUES(9,3,'urn:h2','2026-11-30 06:49:54.317','2026-11-30 06:49:57.871',NULL,2);
INSERT INTO "sightings" VALUES(10,3,'urn:h1','2026-11-30 06:49:54.317','2026-11-30 06:49:57.871',NULL,1);
INSERT INTO "sightings" VALUES(11,4,'l2','2026-11-30 06:49:54.634','2026-11-30 06:49:58.543',NULL,2);
INSERT INTO "sightings" VALUES(12,4,'l1','2026-11-30 06:49:54.634','2026-11-30 06:49:58.543',NULL,1);
INSERT INTO "sightings" VALUES(13,2,'f2','2026-11-30 06:49:54.649','2026-11-30 06:49:58.561',NULL,2);
INSERT INTO "sightings" VALUES(14,2,NULL,'2026-11-30 06:49:54.649','2026-11-30 06:49:58.561',NULL,1);
INSERT INTO "sightings" VALUES(15,2,'https://ferry.example/0','2026-11-30 06:49:54.649','2026-11-30 06:49:58.561',NULL,1);
INSERT INTO "sightings" VALUES(16,3,'urn:h3','2026-11-30 06:49:57.871','2026-11-30 06:49:57.871',NULL,1);
INSERT INTO "sightings" VALUES(17,2,'f3','2026-11-30 06:49:58.561','2026-11-30 06:49:58.561',NULL,1);
CREATE TABLE source_addresses (
	id INTEGER NOT NULL, 
	source_id INTEGER NOT NULL, 
	url TEXT NOT NULL, 
	from_at TEXT NOT NULL, 
	to_at TEXT, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_source_addresses PRIMARY KEY (id), 
	CONSTRAINT fk_source_addresses_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);
INSERT INTO "source_addresses" VALUES(1,2,'http://127.0.0.1:36933/rss.xml','2026-11-30 06:49:54.246',NULL,'configured');
INSERT INTO "source_addresses" VALUES(2,3,'http://127.0.0.1:36933/atom.xml','2026-11-30 06:49:54.246',NULL,'configured');
INSERT INTO "source_addresses" VALUES(3,4,'http://127.0.0.1:36933/feed.json','2026-11-30 06:49:54.246',NULL,'configured');
CREATE TABLE sources (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	title TEXT, 
	url TEXT, 
	configured_url TEXT, 
	host TEXT, 
	site_url TEXT, 
	enabled BOOLEAN NOT NULL, 
	status TEXT NOT NULL, 
	every_seconds DOUBLE, 
	auto BOOLEAN NOT NULL, 
	cron TEXT, 
	timezone TEXT, 
	next_poll_at TEXT, 
	next_poll_reason TEXT, 
	not_before TEXT, 
	last_polled_at TEXT, 
	last_success_at TEXT, 
	last_document_at TEXT, 
	failing_since TEXT, 
	failure_count INTEGER NOT NULL, 
	last_error TEXT, 
	gone_at TEXT, 
	moved_to TEXT, 
	moved_since TEXT, 
	moved_polls INTEGER NOT NULL, 
	validators_url TEXT, 
	etag TEXT, 
	last_modified TEXT, 
	ask_in_full BOOLEAN NOT NULL, 
	not_modified_since TEXT, 
	body_hash TEXT, 
	auto_seconds DOUBLE, 
	hurried_seconds DOUBLE, 
	own_wait_seconds DOUBLE, 
	skip_hours TEXT, 
	skip_days TEXT, 
	window_at TEXT, flaw TEXT, refused_validators TEXT, filters TEXT, full_text TEXT, link_from TEXT, content_from TEXT, encoding TEXT, 
	CONSTRAINT pk_sources PRIMARY KEY (id), 
	CONSTRAINT uq_sources_name UNIQUE (name)
);
INSERT INTO "sources" VALUES(1,'seeds',NULL,NULL,NULL,NULL,NULL,0,'active',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "sources" VALUES(2,'rss','渡口新闻','http://127.0.0.1:36933/rss.xml','http://127.0.0.1:36933/rss.xml','127.0.0.1','https://ferry.example/',1,'active',3600.0,0,NULL,'UTC','2026-11-30 07:51:31.748','its interval',NULL,'2026-11-30 06:49:58.561','2026-11-30 06:49:58.561','2026-11-30 06:49:58.561',NULL,0,NULL,NULL,NULL,NULL,0,'http://127.0.0.1:36933/rss.xml',NULL,'Sun, 09 Sep 2001 01:46:41 GMT',0,NULL,'03d69ab30cbf978210ff5bd33034c8051dbd89c9b402154da5201892c5a743ed',NULL,NULL,NULL,NULL,NULL,'2026-11-30 06:49:58.561',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "sources" VALUES(3,'atom','Harbour','http://127.0.0.1:36933/atom.xml','http://127.0.0.1:36933/atom.xml','127.0.0.1',NULL,1,'active',3600.0,0,NULL,'UTC','2026-11-30 07:50:10.976','its interval',NULL,'2026-11-30 06:49:57.871','2026-11-30 06:49:57.871','2026-11-30 06:49:57.871',NULL,0,NULL,NULL,NULL,NULL,0,'http://127.0.0.1:36933/atom.xml',NULL,'Sun, 09 Sep 2001 01:46:41 GMT',0,NULL,'137b6232cf472ca72ffa66ebe3b2cef1abface8cfbb567e1e5f5e8be640e989f',NULL,NULL,NULL,NULL,NULL,'2026-11-30 06:49:57.871',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "sources" VALUES(4,'json','Lighthouse','http://127.0.0.1:36933/feed.json','http://127.0.0.1:36933/feed.json','127.0.0.1','https://light.example/',1,'active',3600.0,0,NULL,'UTC','2026-11-30 07:49:59.827','its interval',NULL,'2026-11-30 06:49:58.543','2026-11-30 06:49:58.543','2026-11-30 06:49:58.543',NULL,0,NULL,NULL,NULL,NULL,0,'http://127.0.0.1:36933/feed.json',NULL,'Sun, 09 Sep 2001 01:46:41 GMT',0,NULL,'e4e306d702da513da10042844c77f5b78d84d43831362825e545308a8d834801',NULL,NULL,NULL,NULL,NULL,'2026-11-30 06:49:58.543',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE tags (
	id INTEGER NOT NULL, 
	article_id INTEGER NOT NULL, 
	tag TEXT NOT NULL, 
	CONSTRAINT pk_tags PRIMARY KEY (id), 
	CONSTRAINT fk_tags_article_id FOREIGN KEY(article_id) REFERENCES articles (id)
);
INSERT INTO "tags" VALUES(1,11,'sea');
INSERT INTO "tags" VALUES(2,13,'交通');
CREATE TABLE withdrawals (
	article_id INTEGER NOT NULL, 
	source_id INTEGER NOT NULL, 
	from_at TEXT NOT NULL, 
	to_at TEXT, 
	CONSTRAINT pk_withdrawals PRIMARY KEY (article_id, source_id, from_at), 
	CONSTRAINT fk_withdrawals_article_id FOREIGN KEY(article_id) REFERENCES articles (id), 
	CONSTRAINT fk_withdrawals_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE INDEX ix_source_addresses_source_id ON source_addresses (source_id);
CREATE INDEX ix_articles_published_at ON articles (published_at);
CREATE INDEX ix_articles_source_id_published_at ON articles (source_id, published_at);
CREATE INDEX ix_sightings_source_id_last_seen_at ON sightings (source_id, last_seen_at);
CREATE INDEX ix_sightings_source_id_first_seen_at ON sightings (source_id, first_seen_at);
CREATE INDEX ix_media_article_id ON media (article_id);
CREATE INDEX ix_tags_article_id ON tags (article_id);
CREATE INDEX ix_polls_source_id_started_at ON polls (source_id, started_at);
CREATE INDEX ix_gaps_source_id ON gaps (source_id);
CREATE VIEW article_list AS
SELECT a.id, a.url_hash, s.name AS source, a.title, a.url, a.published_at, a.first_seen_at, a.revision
FROM articles AS a JOIN sources AS s ON s.id = a.source_id;
CREATE INDEX ix_sources_enabled_next_poll_at ON sources (enabled, next_poll_at);
CREATE INDEX ix_sources_enabled_host_next_poll_at ON sources (enabled, host, next_poll_at);
CREATE INDEX ix_withdrawals_source_id_to_at ON withdrawals (source_id, to_at);
CREATE INDEX ix_former_dates_article_id ON former_dates (article_id);
CREATE INDEX ix_host_queue_due_at ON host_queue (due_at);
CREATE TRIGGER sources_new AFTER INSERT ON sources WHEN NEW.host IS NOT NULL BEGIN INSERT INTO host_queue (host, due_at) VALUES (NEW.host, (SELECT next_poll_at FROM sources WHERE enabled = TRUE AND host = NEW.host AND next_poll_at IS NOT NULL ORDER BY next_poll_at LIMIT 1)) ON CONFLICT (host) DO UPDATE SET due_at = excluded.due_at WHERE host_queue.due_at IS NOT excluded.due_at; END;
CREATE TRIGGER sources_changed AFTER UPDATE OF host, enabled, next_poll_at ON sources WHEN NEW.host IS NOT NULL BEGIN INSERT INTO host_queue (host, due_at) VALUES (NEW.host, (SELECT next_poll_at FROM sources WHERE enabled = TRUE AND host = NEW.host AND next_poll_at IS NOT NULL ORDER BY next_poll_at LIMIT 1)) ON CONFLICT (host) DO UPDATE SET due_at = excluded.due_at WHERE host_queue.due_at IS NOT excluded.due_at; END;
CREATE TRIGGER sources_moved AFTER UPDATE OF host, enabled, next_poll_at ON sources WHEN OLD.host <> NEW.host BEGIN UPDATE host_queue SET due_at = (SELECT next_poll_at FROM sources WHERE enabled = TRUE AND host = OLD.host AND next_poll_at IS NOT NULL ORDER BY next_poll_at LIMIT 1) WHERE host = OLD.host; END;
CREATE INDEX ix_articles_url ON articles (url);
CREATE VIEW source_health AS
SELECT s.id, s.name, s.status, s.last_success_at, s.failure_count, s.last_error, s.flaw, s.next_poll_at,
  (SELECT count(g.source_id) FROM sightings AS g WHERE g.source_id = s.id) AS articles,
  (SELECT count(g.source_id) FROM sightings AS g WHERE g.source_id = s.id AND g.first_seen_at >= strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 days')) AS articles_24h,
  (SELECT count(g.source_id) FROM sightings AS g WHERE g.source_id = s.id AND g.first_seen_at >= strftime('%Y-%m-%d %H:%M:%f', 'now', '-7 days')) AS articles_7d,
  (SELECT count(p.source_id) FROM gaps AS p WHERE p.source_id = s.id) AS gaps
FROM sources AS s;
CREATE INDEX ix_articles_undated ON articles (id) WHERE published_at IS NULL;
CREATE INDEX ix_articles_revised ON articles (published_at, id) WHERE revision > 1;
CREATE INDEX ix_sightings_withdrawn ON sightings (article_id) WHERE withdrawn_at IS NOT NULL;
CREATE INDEX ix_polls_flawed ON polls (started_at, source_id) WHERE flaw IS NOT NULL;
CREATE INDEX ix_polls_outcome_started_at_source_id ON polls (outcome, started_at, source_id);
CREATE INDEX ix_tags_tag ON tags (tag);
CREATE INDEX ix_page_fetches_source_id_outcome ON page_fetches (source_id, outcome);
CREATE INDEX ix_page_fetches_waiting ON page_fetches (host, next_try_at) WHERE next_try_at IS NOT NULL;
COMMIT;
