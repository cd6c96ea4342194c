"""The scripts in use today (UAX #31, tables 5 and 7) and which of them one word may mix (UTS #39, 5.2)."""

from __future__ import annotations

from typing import Final

_EAST_ASIAN = [["Han", "Hiragana", "Katakana"], ["Han", "Bopomofo"], ["Han", "Hangul"]]
# fmt: off
_BESIDE_LATIN = [
    "Arabic", "Bengali", "Devanagari", "Ethiopic", "Georgian", "Gujarati", "Gurmukhi", "Hebrew", "Kannada", "Khmer",
    "Lao", "Malayalam", "Myanmar", "Oriya", "Sinhala", "Tamil", "Telugu", "Thaana", "Thai", "Tibetan",
]
_ALONE = [
    "Armenian", "Cyrillic", "Greek",  # their letters look like Latin ones
    "Adlam", "Balinese", "Bamum", "Batak", "Canadian_Aboriginal", "Chakma", "Cham", "Cherokee", "Hanifi_Rohingya",
    "Javanese", "Kayah_Li", "Lepcha", "Limbu", "Lisu", "Mandaic", "Meetei_Mayek", "Miao", "New_Tai_Lue", "Newa", "Nko",
    "Nyiakeng_Puachue_Hmong", "Ol_Chiki", "Osage", "Saurashtra", "Sundanese", "Syloti_Nagri", "Syriac", "Tai_Le",
    "Tai_Tham", "Tai_Viet", "Tifinagh", "Vai", "Wancho", "Yi",
    "Mongolian",  # left out by Unicode, and written every day
]
# fmt: on


def _set(*scripts: str) -> str:
    """The characters that those scripts use, as the inside of a set."""
    return "".join(rf"\p{{scx={script}}}" for script in scripts)


LIVING: Final = _set("Latin", *(script for group in _EAST_ASIAN for script in group), *_BESIDE_LATIN, *_ALONE)
MIXED: Final = [
    rf"[{_set(*scripts)}\p{{scx=Zyyy}}\p{{scx=Zinh}}]+"
    for scripts in [
        *(["Latin", *group] for group in _EAST_ASIAN),
        *(["Greek", *group] for group in _EAST_ASIAN),
        *(["Latin", script] for script in _BESIDE_LATIN),
        *([script] for script in _ALONE),
    ]
]
"""What a word may be of: "moderately restrictive", and Greek beside Chinese characters (λ計算, β版)."""
