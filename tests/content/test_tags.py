"""Tags: identifiers of living scripts, one word one tag, each once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.content.tags import LONGEST, MOST, SENT, normal, normalised

WORDS = [
    ("Arabic", "برمجة"),
    ("Arabic, vowelled", "اللُّغة"),
    ("Persian", "برنامه\u200cنویسی"),
    ("Persian, plural", "برنامه\u200cها"),
    ("Kurdish", "بەرنامەسازی"),
    ("Urdu", "پاکستان"),
    ("Uyghur", "ئۇيغۇرچە"),
    ("Hebrew", "תכנות"),
    ("Hebrew, gershayim", "תנ״ך"),
    ("Hebrew, geresh", "צ׳אט"),
    ("Hebrew, geresh at the end", "רח׳"),
    ("Yiddish", "ייִדיש"),
    ("Catalan", "col·lecció"),
    ("French", "aujourd'hui"),
    ("Portuguese", "programação"),
    ("Turkish", "yazılım"),
    ("Vietnamese", "lập-trình"),
    ("Yoruba", "ẹ̀kọ́"),
    ("Hawaiian", "ʻōlelo"),
    ("Uzbek", "oʻzbek"),
    ("Navajo", "diné"),
    ("Azerbaijani", "azərbaycan"),
    ("Greek", "προγραμματισμός"),
    ("Russian", "программирование"),
    ("Ukrainian", "комп'ютер"),
    ("Mongolian", "ᠮᠣᠩᠭᠣᠯ"),
    ("Mongolian, separated vowel", "ᠬᠠᠮᠢᠭ\u180eᠠ"),
    ("Armenian", "երևան"),
    ("Georgian", "თბილისი"),
    ("Amharic", "አዲስ_አበባ"),
    ("Hindi", "हिन्दी"),
    ("Hindi, kept apart", "क्\u200cष"),
    ("Marathi, eyelash ra", "ऱ्\u200dय"),
    ("Nepali", "काठमाडौँ"),
    ("Bengali", "বাংলাদেশ"),
    ("Bengali, ra with ya", "র\u200d্যাম"),
    ("Gurmukhi", "ਪੰਜਾਬੀ"),
    ("Gujarati", "ગુજરાતી"),
    ("Odia", "ଓଡ଼ିଆ"),
    ("Tamil", "தமிழ்"),
    ("Telugu", "తెలుగు"),
    ("Kannada", "ಬೆಂಗಳೂರು"),
    ("Malayalam", "മലയാളം"),
    ("Sinhala", "ශ්\u200dරී"),
    ("Thai", "กรุงเทพ"),
    ("Thai, sara am", "น้ำ"),
    ("Lao, am", "ນ້ຳ"),
    ("Khmer", "ភ្នំពេញ"),
    ("Burmese", "ရန်ကုန်"),
    ("Tibetan", "བོད་ཡིག"),
    ("Dhivehi", "ދިވެހި"),
    ("Chinese", "社群运营"),
    ("Bopomofo", "ㄅㄆㄇ"),
    ("Japanese", "リバース・エンジニアリング"),
    ("Japanese, repeated", "時々"),
    ("Japanese, half of it Latin", "webアプリ"),
    ("Korean", "프로그래밍"),
    ("Korean, half of it Latin", "pc방"),
    ("Cherokee", "ᏣᎳᎩ"),
    ("Inuktitut", "ᐃᓄᒃᑎᑐᑦ"),
    ("Tamazight", "ⵜⴰⵎⴰⵣⵉⵖⵜ"),
    ("N'Ko", "ߒߞߏ"),
    ("Fula", "𞤨𞤵𞤤𞤢𞤪"),
    ("Yi", "ꆈꌠ"),
    ("Santali", "ᱥᱟᱱᱛᱟᱲᱤ"),
    ("Meitei", "ꯃꯤꯇꯩꯂꯣꯟ"),
    ("Vai", "ꕙꔤ"),
    ("Chakma", "𑄌𑄋𑄴𑄟𑄳𑄦"),
    ("Javanese", "ꦗꦮ"),
    ("Syriac", "ܣܘܪܝܬ"),
    ("digits of Persian", "۱۴۰۵"),
    ("digits of Bengali", "২০২৬"),
    ("digits of Thai", "๒๕๖๙"),
    ("signs", "c++"),
    ("signs", "c#"),
    ("signs", ".net"),
    ("signs", "node.js"),
    ("signs", "snake_case"),
    ("a year", "2026"),
    ("a word of each alphabet", "html-код"),
    ("a word of each alphabet", "c++-программирование"),
    ("a Greek letter in Chinese", "λ計算"),
]
"""Each as it is kept, too."""


def test_tags_are_kept_in_lower_case_in_the_order_given_and_once() -> None:
    assert normalised(["Roses", " soil ", "ROSES"]) == ("roses", "soil")


@pytest.mark.parametrize(("language", "tag"), WORDS)
def test_a_tag_may_be_of_any_living_script(language: str, tag: str) -> None:
    assert normal(tag) == tag, language
    assert normal(tag.upper()) == normal(tag.title()) == tag or language in {"Turkish", "Greek"}
    assert normal(f"\u200f {tag}\ufeff\n") == tag


@pytest.mark.parametrize(
    "spellings",
    [
        ["istanbul", "İstanbul", "ISTANBUL", "İSTANBUL", "i\u0307stanbul"],
        ["strasse", "straße", "STRASSE", "STRAẞE"],
        ["σίσυφος", "ΣΊΣΥΦΟΣ", "Σίσυφοσ", "σι\u0301συφος"],
        ["ᏣᎳᎩ", "ꮳꮃꭹ", "Ꮳꮃꭹ"],
        ["երևան", "ԵՐԵՒԱՆ", "Երեւան", "Երևան"],
        ["մնալ", "ﬓալ", "ՄՆԱԼ"],
        ["ქართული", "ᲥᲐᲠᲗᲣᲚᲘ"],
        ["𞤨𞤵𞤤𞤢𞤪", "𞤆𞤓𞤂𞤀𞤈"],
        ["dž", "ǆ", "ǅ", "Ǆ"],
        ["k", "\u212a", "K"],
        ["été", "e\u0301te\u0301", "ÉTÉ"],
        ["한글", "\u1112\u1161\u11ab\u1100\u1173\u11af"],
        ["データ", "ﾃﾞｰﾀ"],
        ["リバース・エンジニア", "ﾘﾊﾞｰｽ･ｴﾝｼﾞﾆｱ"],
        ["file2", "ﬁle2", "ｆｉｌｅ２", "𝐟𝐢𝐥𝐞²"],
        ["كتاب", "ﻛﺘﺎﺏ"],
        ["col·lecció", "coŀlecció", "COL·LECCIÓ", "col\u0387lecció"],
        ["комп'ютер", "комп’ютер", "компʼютер", "комп＇ютер"],
        ["תנ״ך", 'תנ"ך'],
        ["צ׳אט", "צ'אט", "צ’אט"],
        ["בית-ספר", "בית־ספר", "בית‐ספר", "בית\u2011ספר"],
        ["น้ำ", "น\u0e49\u0e4dา", "น\u0e4d\u0e49า"],
        ["བོད་ཡིག", "བོད་ཡིག་", "བོད\u0f0cཡིག"],
        ["ابزارها", "ابزار\u200cها"],
        ["ក្រុមការងារ", "ក្រុម\u200bការងារ"],
        ["അവൻ", "അവന്\u200d"],
    ],
)
def test_one_word_is_one_tag_however_it_is_written(spellings: list[str]) -> None:
    assert normalised(spellings) == (spellings[0],)


@pytest.mark.parametrize(
    ("tag", "rule"),
    [
        ("", "1 to 50 characters"),
        (" \u3000\u200b", "1 to 50 characters"),
        ("\u3164", "1 to 50 characters"),
        ("x" * (LONGEST + 1), "1 to 50 characters"),
        ("é" * (LONGEST + 1), "1 to 50 characters"),
        ("x" * (SENT + 1), "1 to 50 characters"),
        ("++", "a letter or a digit"),
        ("two words", "U+0020 SPACE cannot stand in a tag"),
        ("<script>", "U+003C LESS-THAN SIGN"),
        ("a/b", "U+002F SOLIDUS"),
        ("Q&A", "U+0026 AMPERSAND"),
        ("$x", "U+0024 DOLLAR SIGN"),
        ("©", "U+00A9 COPYRIGHT SIGN"),
        ("🎉", "U+1F389 PARTY POPPER"),
        ("½", "U+2044 FRACTION SLASH"),
        ("a\u203fb", "U+203F UNDERTIE"),
        ("a\x00b", r"U+0000 \(a control character\)"),
        ("a\ud800", "U+D800"),
        ("zero\u200bwidth", "U+200B ZERO WIDTH SPACE"),
        ("ro\u200cses", "U+200C ZERO WIDTH NON-JOINER"),
        ("ro\u200dses", "U+200D ZERO WIDTH JOINER"),
        ("ب\u200dر", "U+200D ZERO WIDTH JOINER"),
        ("к\u200cод", "U+200C ZERO WIDTH NON-JOINER"),
        ("a\u00adb", "U+00AD SOFT HYPHEN"),
        ("a\u202eb", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("a\u200eb", "U+200E LEFT-TO-RIGHT MARK"),
        ("a\ufe0fb", "U+FE0F VARIATION SELECTOR-16"),
        ("a\u034fb", "U+034F COMBINING GRAPHEME JOINER"),
        ("a\u180eb", "U+180E MONGOLIAN VOWEL SEPARATOR"),
        ("a\u1160b", "U+1160 HANGUL JUNGSEONG FILLER"),
        ("a\ue000b", r"U+E000 \(private use\)"),
        ("a\u0378b", "U+0378 cannot stand"),
        ("\u1c89b", "no character that is known here"),  # newer than the tables that fold it
        ("𐌲𐌿𐍄", "GOTHIC LETTER"),
        ("𓀀𓀁", "EGYPTIAN HIEROGLYPH"),
        ("ᚠᚢᚦ", "RUNIC LETTER"),
        ("𒀀", "CUNEIFORM SIGN"),
        ("\u0301a", "U+0301 COMBINING ACUTE ACCENT is a mark"),
        ("a-\u0301b", "U+0301 COMBINING ACUTE ACCENT is a mark"),
        ("\u093eक", "U+093E DEVANAGARI VOWEL SIGN AA is a mark"),
        ("·a", "U+00B7 MIDDLE DOT stands between two letters"),
        ("a·", "U+00B7 MIDDLE DOT stands between two letters"),
        ("a··b", "U+00B7 MIDDLE DOT stands between two letters"),
        ("'rock'", "U+0027 APOSTROPHE stands between two letters"),
        ("・ア", "U+30FB KATAKANA MIDDLE DOT stands between two letters"),
        ("״תנך", "U+05F4 HEBREW PUNCTUATION GERSHAYIM stands between two letters"),
        ("a:", "U+003A COLON stands between two letters"),
        ("pаypal", "of one script"),  # Cyrillic а
        ("gοogle", "of one script"),  # Greek ο
        ("gօogle", "of one script"),  # Armenian օ
        ("Ꭺpple", "of one script"),  # Cherokee Ꭺ
        ("ꓐook", "of one script"),  # Lisu ꓐ
        ("c++-рrogram", "of one script"),
        ("हिन्दीالعربية", "of one script"),
        ("12٣", "digits of a tag"),
    ],
)
def test_what_is_no_word_is_no_tag_and_told_why(tag: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule.replace("+", r"\+")):
        normal(tag)


def test_the_limit_counts_what_is_kept() -> None:
    assert normal(" " + "e\u0301" * LONGEST + "\u200b") == "é" * LONGEST
    assert len(normal("\u1112\u1161\u11ab" * LONGEST)) == LONGEST


def test_a_thread_has_at_most_ten_tags() -> None:
    assert len(normalised([f"t{n}" for n in range(MOST)])) == MOST
    with pytest.raises(ValueError, match="at most"):
        normalised([f"t{n}" for n in range(MOST + 1)])


SPELLED = (
    "aAiIİı\u0307\u0301jσςΣ'’ʼʻ\"׳״הת·ŀ-‐־\u200c\u200d\u200bدبر\u064e"
    "\u094dकরন\u09cdน\u0e4d\u0e32\u0e33\u0e49եւԵ་བßﬁᏣꭰᠠ\u180eﾃﾞ12٣ʼnന\u0d4d:"
)


@given(st.lists(st.text() | st.text(st.sampled_from(SPELLED), max_size=8), max_size=MOST))
def test_tags_that_are_normal_stay_as_they_are(tags: list[str]) -> None:
    try:
        kept = normalised(tags)
    except ValueError:
        return
    assert normalised(kept) == kept
