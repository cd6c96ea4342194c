"""Which characters show, which may stand on one line, and where one that does not show is spelling (UAX #31, UTS #51).

What does not show is an invisible difference between two names that look alike, so it stands where it changes how the
word is written, and nowhere else.
"""

from __future__ import annotations

import unicodedata
from typing import Final

import regex

from shared.unseen import BLANK, BOUND, INVISIBLE

SPACES: Final = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" + (
    "\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's White_Space."""
_PICTOGRAPHS = r"\U0001F000-\U0001FAFF"
"""Unicode's room for pictographs: next year's are here before our tables know them."""
_DIRECTION = r"\u061C\u200E\u200F"
"""The marks of direction; they weigh nothing but on signs beside right-to-left letters."""

CONJUNCT: Final = r"(?<=\p{ccc=9})\u200D|(?<=\p{ccc=9})\u200C(?=\p{L})|(?<=\p{L})\u200D(?=\p{ccc=9})"
"""A joiner beside a virama (UAX #31 A2, B), and the one before it that Bengali and Kannada write after their ra."""
CURSIVE: Final = r"(?<=[\p{jt=D}\p{jt=L}]\p{M}{0,8})\u200C(?=\p{M}{0,8}[\p{jt=D}\p{jt=R}])"
"""A non-joiner that keeps two letters of a cursive script apart (UAX #31 A1)."""
MONGOLIAN: Final = r"(?<=\p{Mongolian})[\u180B-\u180F]"
"""A variation of the letter before it, or the separator before a final vowel."""
WORD_BREAK: Final = r"(?<=\p{lb=SA})\u200B(?=\p{lb=SA})"
"""What writers of Khmer, Lao, Burmese and Thai type where a word ends."""
_LOOSE_CURSIVE = r"(?<=[\p{jt=D}\p{jt=L}\p{jt=R}\u0640]\p{M}{0,8})(?:\u200C(?=[\p{L}\p{M}])|\u200D)"
"""As people type it: also where the letter would not have joined, and at the end of an abbreviation."""
_EMOJI = (
    r"(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}]\uFE0F?)\u200D(?=\p{Extended_Pictographic})"
    r"|(?<=\U0001F3F4[\U000E0020-\U000E007E]{0,30})[\U000E0020-\U000E007F]"
    r"|(?<=[\p{Emoji}\p{S}\p{Han}\p{Myanmar}])[\uFE00-\uFE0F\U000E0100-\U000E01EF]"
)
"""Families, flags of regions, and the variant of a sign, of a Chinese character, of a Burmese letter."""
_OWN_SCRIPT = (
    r"(?<=[\u2801-\u28FF]\u2800{0,8})\u2800(?=\u2800{0,8}[\u2801-\u28FF])|\u070F(?=\p{Syriac})|(?<=\p{Tifinagh})\u2D7F"
    r"|(?<=\p{Brahmi})\U0001107F|(?<=[\U00013000-\U0001345F])[\U00013430-\U00013442]|\U00013437(?=[\U00013000-\U0001345F])"
    r"|(?<=\p{Khitan_Small_Script})\U00016FE4|(?<=\p{Duployan})\U0001BC9D"
)
"""What is blank or bound among the letters it belongs to; between words of Braille the empty cell is the space."""
_SPELLED = "|".join([CONJUNCT, CURSIVE, _LOOSE_CURSIVE, MONGOLIAN, WORD_BREAK, _EMOJI, _OWN_SCRIPT])


def compiled(pattern: str) -> regex.Pattern[str]:
    """The pattern, with sets that can be intersected and subtracted."""
    return regex.compile(pattern, regex.VERSION1)


SHOWING: Final = compiled(rf"[[\p{{L}}\p{{N}}\p{{P}}\p{{S}}{_PICTOGRAPHS}]--[{INVISIBLE}{BLANK}]]")
"""A character of which something is to be seen, also alone: marks need a letter."""

_NEVER = r"\p{Cc}\p{Zl}\p{Zp}\p{Co}\p{Cs}[\p{Cn}--[" + _PICTOGRAPHS + "]]"
_FOREIGN_LEFT_TO_RIGHT = compiled(rf"(?!{_SPELLED})[{_NEVER}{INVISIBLE}{BLANK}{BOUND}]")
_FOREIGN_RIGHT_TO_LEFT = compiled(rf"(?!{_SPELLED})[{_NEVER}{BLANK}{BOUND}[[{INVISIBLE}]--[{_DIRECTION}]]]")
_RIGHT_TO_LEFT = compiled(r"[\p{bc=R}\p{bc=AL}--[\u200F\u061C]]")
_NOTHING = rf"(?:(?!{_SPELLED})[\p{{White_Space}}{INVISIBLE}{BLANK}{BOUND}])*+"
_BEGINNING, _END = compiled(_NOTHING), compiled(rf"(?r){_NOTHING}")
_GAPS = compiled(rf"(?:[\t\n\x0b\x0c\r\x85\u2028\u2029]|(?!{_SPELLED})[{BLANK}])+")
"""What is written as a space where a name is brought in."""


def foreign(text: str) -> regex.Pattern[str]:
    """What finds the characters that may not stand in that text where it is one line."""
    return _FOREIGN_RIGHT_TO_LEFT if _RIGHT_TO_LEFT.search(text) else _FOREIGN_LEFT_TO_RIGHT


def trimmed(text: str) -> str:
    """The text without what does not show at its ends: white space and invisible characters."""
    begin = _BEGINNING.match(text)
    end = _END.match(text, begin.end()) if begin else None
    return text[begin.end() : end.start()] if begin and end else text


def cleaned(text: str) -> str | None:
    """A name that is brought in, without what may not stand in one; None where nothing shows then."""
    line, before = _GAPS.sub(" ", text.strip(SPACES)), ""
    while line != before:  # a mark of direction may stand only while the letter does that it stands beside
        line, before = unicodedata.normalize("NFC", trimmed(foreign(line).sub("", line))), line
    return line if SHOWING.search(line) else None


def named(character: str) -> str:
    """A character by its number and name: `U+200B ZERO WIDTH SPACE`."""
    kind = unicodedata.category(character)
    name = unicodedata.name(character, {"Cc": "(a control character)", "Co": "(private use)"}.get(kind, ""))
    return f"U+{ord(character):04X} {name}".rstrip()


def why_not(character: str) -> str:
    """The rule that a foreign character of a name breaks."""
    if regex.match(r"[\p{Cc}\p{Zl}\p{Zp}]", character):
        return "a name is one line, without control characters"
    if regex.match(r"[\u202A-\u202E\u2066-\u2069]", character):
        return "a name does not turn the direction in which it is read"
    if regex.match(rf"[{INVISIBLE}{BLANK}{BOUND}]", character):
        return "it does not show, and no word is spelled with it here"
    return "Unicode gives it no meaning that all share"
