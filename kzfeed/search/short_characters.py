"""Short characters: frequent Chinese characters in two bytes of UTF-8 instead of three.

The search index of a PostgreSQL archive holds its text so, because a shorter text also makes a shorter index. Each
character is replaced by one, and no two by the same: a string is found in such a text where it is in the text itself.
"""

FREQUENT = (
    "的是一在不有人这中了国个和我会为以就来到大学也对们要时他上能生可斯年说出过自后作都多家之方而于地但经"
    "发文些克主动本种如史得现者历因成前其与性政新用没实所还事然日那去罗关当法仝很下哈社么哩民样理面被意你"
    "最代想开行论子体非看萨分外着力重从定间好问西题此坦等部进制更治工小物化程己全通比公点义天或内相并常只"
    "平度道机果话俄马她写起无情像认做场期特应先把世系它提次利东真表明书已安两活统使术格美教解变权长知信接"
    "第什流再入拉台式心假加回究由数正反济原亚研直合件界赀觉观跟构少将受何闻及织至产身则交尔业月共高又军基"
    "组让任建品保港存处译思识名量向目需包立该放感位展给始结言总三传求较类夫达张越北边运才府市科京卡女指网"
    "近战别联博城钱香十区据路持约争每议领读强金算例务选完容老价集二候空俱洲图南且派员各几难导转讲元筦条带"
    "形字改许视首确评今艺造端泰打示习德助离队报命复局断英馆手态即源普势调影却走见太古怎取失考万找规注语版"
    "房希整纪某编抗往满口引息步气支否参设记号值概袋境终模兵讨头帝够必色典律极案住侭塔虚决耶章施仅甚曾念专"
    "收电布称易突院响层移众似根际阶益课商消单另虽白服吗乎诗阿呢域司未推革望早落判证密族巴四续门标随水级师"
    "显除供致错亲篇况兰便群维创深黑计线土换演费令湾积限切欧占士角背帮车策冲批威周油孩括死刻精独验谈华石清"
    "客状海举节姐友料准翻预备危官吉智故媒份增风初担快器印段控奥雅互质般击告述序纳围站五干词试低待足连王歌"
    "采须留功哪办星声责仍买底乱儿获介拿简授护富照爱扩置释查甦托征暴远广稳承刚虑票愿杂请严归差列拥农速龙配"
    "型技超球庄游警妈屿略项轻兴育左范借盟久压飞累属签尼企障察光渐修味百居村投吃景破讯职神片恐燕逐析诉择继"
    "播免涉困山币养黄码练音林哥半访乡朝怕劳激遍绝梁疑微庭男霍九武寻负迫航睡母止适唱菲青络宣依私租花听材眼"
    "秩挑效害追米皇柜细怀莫阳避珍抵陆团哲误环晚沙既排础志扎省汉亡欢险优卢良校朋献耳坏旅防充申协病短乌熟七"
    "巨辑答竞堂烈邦双遇店右剧素句索尤努爆败喜岁六遭顺掉叫街草冬党训予享审座童塞刷福衡阅延跑搭输席舱赌乐纸"
    "挥雷架颜奖八班猫付莉奶降融拒末钟迁退停启李束贸罪恰块守梅痛腊奇散骚焦伴户岛倒贫补坚登财幸攻固触偏谓父"
    "善靠键丰河忆佛余吧乔田弹俗杀核津餐货竟卖肯探宾遗牌督慢呼蓝惊寨恩寄混缘临紧玩碰笔疆野距旧犹频朗隐荣委"
    "贵缺测火鱼含夜懂藏胜苦套倾吸营毕纽弃唐录云异木屋侵衰"
)
"""The folded characters that are most frequent in real posts. A change of them makes other indexes."""

RARE = "".join(map(chr, (*range(0x100, 0x370), *range(0x530, 0x590), *range(0x700, 0x800))))
"""As many characters of two bytes that folded texts seldom have: Latin with marks, Armenian, Syriac, Thaana, N'Ko."""

_EXCHANGED = str.maketrans(FREQUENT + RARE, RARE + FREQUENT)


def shortened(text: str) -> str:
    """The text with frequent and rare characters in each other's places. Done twice, it gives the text itself."""
    return text.translate(_EXCHANGED)
