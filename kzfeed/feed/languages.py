"""Languages of feeds: their letters above ASCII, the most frequent first, and some common words of the Latin ones.

The words are in pure ASCII, so that they read alike in every encoding of the language.
"""

from typing import NamedTuple


class Language(NamedTuple):
    """The letters and words of a language by which encodings are told apart."""

    letters: str
    words: frozenset[str] = frozenset()


def _latin(letters: str, words: str) -> Language:
    return Language(letters, frozenset(words.split()))


LATIN = (
    # English
    _latin(
        "éüöáèíñóäçêëïôåâàøãæúîû", "the of and to in is that for was with on as are by from this be have not you at it"
    ),
    # French
    _latin(
        "éèàêçâùôîûëïœüÿæ", "de la le les des et en un une du que qui dans est pour pas sur au par avec ce se il plus"
    ),
    # German
    _latin("üäößéàèç", "der die das und ist in den von zu mit nicht ein eine auf dem des im als auch es er sie bei an"),
    # Spanish
    _latin("óíáéñúü", "de la que el en los del se las por un para con no una su al lo como es pero este"),
    # Portuguese
    _latin("ãçáéíóêõúâàôü", "de que do da em um para com uma os no se na por mais as dos como mas ao das foi"),
    # Italian
    _latin("àèùòìéîó", "di che la il un per in una sono con non del si le della dei da ha come ma nel al"),
    # Catalan
    _latin("àéèíóòçúïü", "de la que el en els les del per amb un una es no al ha dels seva"),
    # Dutch
    _latin("ëéèïöüêáíóçà", "de het een van en in is dat op te zijn met voor niet aan er om ook als dan maar bij"),
    # Swedish
    _latin("äåöé", "och att det som en av den med till inte har om ett men var jag sig han kan"),
    # Norwegian and Danish
    _latin("åøæéöäóòôü", "og at det som er en av den med til ikke har for et de var jeg sig fra kan"),
    # Finnish
    _latin("äöåšž", "ja on ei se ett niin kun mutta tai oli ovat joka mit jos kuin sen"),
    # Icelandic
    _latin("íáðþéóúöýæ", "og sem er ekki um til var fyrir en vi hann hafa eru ekki hefur"),
    # Polish
    _latin("łęąóżśćńź", "na nie do to jest od za po jak ale przez dla co przy tym oraz tego czy jego tylko"),
    # Czech
    _latin("íáéěřýžčšůúťďňó", "se na je to ze do jako za by ale pro po od tak jsou bude jeho jen podle"),
    # Slovak
    _latin("áíéčžýšúľťôňďóäŕĺ", "sa na je to zo do ako za by ale pre po od tak aby boli bol len podla jeho"),
    # Hungarian
    _latin("áéóöőíüúű", "az hogy nem is egy ez meg csak volt mint de ha van el azt egyik mind pedig"),
    # Romanian
    _latin("ăîşţâșț", "de la care nu cu pe un din mai este sau pentru ca ce au fost prin al lor"),
    # Croatian and Slovene
    _latin("čšžćđ", "je na se da su za od ne ili koji kao te bi po iz to sam bio ima in so ki pa tudi"),
    # Turkish
    _latin("ıüşçöğâîû", "ve bir bu da de ne olarak daha olan gibi sonra kadar ile en ama ise"),
    # Lithuanian
    _latin("ėšųžįąūčę", "ir kad yra su tai buvo bet kaip nuo ne bus jo jis apie dar"),
    # Latvian
    _latin("āīēšņļūžģčķ", "un ir ar no par ka uz kas bet pie bija gan tikai"),
    # Estonian
    _latin("äõüöšž", "ja on ei et ta see kui oli ka oma aga mis seda"),
    # Irish
    _latin("áéíóú", "an na agus ar is ag le go do bh sin ach"),
    # Welsh
    _latin("ôâŵêîŷïöûáéè", "yn yr ar mae ac wedi bod eu hefyd gan oedd ei"),
    # Albanian
    _latin("ëçâ", "dhe me nuk per nga si se te ka do"),
    # Esperanto
    _latin("ŝĉĝŭĵĥ", "la kaj de en estas por al ne mi li kun ke"),
    # Maltese
    _latin("ħżġċàèòù", "li ta hija kien biex minn dan huwa ma fuq"),
    # Sorbian
    _latin("ěšćłńžóčřŕśź", "je na so ze a to jo za po"),
)
OTHERS = {
    "CYRILLIC": (
        Language("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфё"),
        Language("оанивітерсклудмпзьяжбгчюйхцшїєщфґ"),
        Language("аоиетнрсвлпкдмзябъугчщйцжшхюфь"),
        Language("аоиенрјстувдкмлпзбгцчшжњљхћђфџѓѕќ"),
        Language("анаіоерысцлткўдуямпзбьгчжхёэшйюф"),
    ),
    "GREEK": (Language("αοιετσνηυρπκμςλίόγδάέύθήχωβφώξζψϊΐ"),),
    "HEBREW": (Language("יולהאתמרשבנדחפכעקגסצםזטןךףץ"),),
    "ARABIC": (Language("الينمروتبةدعهسفكحقأجشصىطخضئذزإغءظثؤآ"), Language("انیردهمتسوبلکشگزخقفعپجحصطچغضئژذثظء")),
    "THAI": (Language("านรกอ่เง้ัมยลวิดทีสตะปบหค์แจพขใช็ไโุูผื์ึำณธศษญซฟภถฉฐฎฏฑฆฌฮๆฯ"),),
}
ALONE = frozenset("àéèóòôêíìùåöæøœäаивоксуяйєізоηοήъ")
"""Letters that are a word by themselves."""
