"""Tags are identifiers of living scripts, at most ten on a thread, each of at most 50 characters.

The profile is that of UAX #31 with the signs that words are spelled with and the joiners where they are spelling;
words are compared folded (NFKC, full case folding), and one word is of one script, as UTS #39 has it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final, NoReturn

from pydantic_core import PydanticCustomError

from services.content.scripts import LIVING, MIXED
from shared.unseen import INVISIBLE
from shared.web.characters import CONJUNCT, CURSIVE, MONGOLIAN, WORD_BREAK, compiled, named, trimmed
from shared.web.fields import WIDEST

MOST: Final = 10
LONGEST: Final = 50
SENT: Final = WIDEST * LONGEST
"""So many characters may be sent: composed and folded they are fewer."""

SIGNS: Final = "-_.+#"
"""Anywhere in a tag: c++, c#, .net, node.js."""
MEDIAL: Final = "':·֊״‧゠・"
"""Between two letters (UAX #31, table 3): rock'n'roll, col·lecció, תנ״ך, リバース・エンジニアリング."""
FINAL: Final = "׳་"
"""After a letter (table 3): the geresh, and the tsheg between Tibetan syllables."""

_JOINED = f"{CONJUNCT}|{CURSIVE}|{MONGOLIAN}"
_OTHERS = rf"[\p{{White_Space}}{INVISIBLE}{MEDIAL}{FINAL}\p{{Pc}}]"
_LETTER = rf"[[[\p{{XID_Continue}}&&[{LIVING}\p{{scx=Zinh}}]]ʻʼ0-9]--{_OTHERS}]"
_ILLEGAL = compiled(rf"(?!{_JOINED})[^{_LETTER}{MEDIAL}{FINAL}\-_.+\#]")
_BARE_MARK = compiled(rf"(?<!{_LETTER}|[\u200c\u200d\u180b-\u180f])\p{{M}}")
_LOOSE_SIGN = compiled(rf"(?<!{_LETTER}|[{FINAL}\u200d])[{MEDIAL}{FINAL}]|[{MEDIAL}](?!{_LETTER})")
_WORDS = compiled(rf"(?:{_LETTER}|[\u200c\u200d\u180b-\u180f])+")
_ONE_SCRIPT = compiled("|".join(MIXED))

_SPELLINGS: Final = [
    (compiled(pattern), spelling)
    for pattern, spelling in [
        (r"(?<=\p{Soft_Dotted})\u0307+", ""),  # İ: its small letter has the dot already
        (r"[‐־]", "-"),
        (rf"(?<={_LETTER})[’ʼ](?={_LETTER})", "'"),
        (r"(?<=\p{Hebrew})\"(?=\p{Hebrew})", "״"),
        (r"(?<=[\p{Hebrew}&&[\p{L}\p{M}]])['’]", "׳"),
        (r"(?<=\p{jt=R}\p{M}{0,8})\u200C(?=\p{L})", ""),  # after a letter that joins none
        (WORD_BREAK, ""),
        (r"\u0E4D([\u0E48-\u0E4B]?)\u0E32", r"\1\u0E33"),  # NFKC takes the Thai and the Lao am apart
        (r"\u0ECD([\u0EC8-\u0ECB]?)\u0EB2", r"\1\u0EB3"),
        (r"(?<=\p{L}\p{M}{0,8})σ(?!\p{M}{0,8}\p{L})", "ς"),
        ("եւ", "և"),
        (r"་+$", ""),
        # Malayalam's chillus as they were written before Unicode had letters for them.
        *((rf"{letter}\u0D4D\u200D", chillu) for letter, chillu in zip("ണനരലളക", "ൺൻർൽൾൿ", strict=True)),
    ]
]
"""What is one word in two spellings, and the one that is kept: where folding has no word's usual one, that."""


def normal(tag: str) -> str:
    """The tag as it is kept: folded, so that one word is one tag. Raises `ValueError` for what is no tag."""
    if len(tag) > SENT:
        _refuse(f"A tag has 1 to {LONGEST} characters")
    word = _folded(trimmed(tag))
    if not 0 < len(word) <= LONGEST:
        _refuse(f"A tag has 1 to {LONGEST} characters")
    if not (word.isascii() and word.isalnum()):
        _check(word)
    return word


def normalised(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags as they are kept, each once, in the order given. Raises `ValueError`, also for more than ten."""
    words = tuple(dict.fromkeys(normal(tag) for tag in tags))
    if len(words) > MOST:
        raise PydanticCustomError("tags", f"A thread has at most {MOST} tags")
    return words


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    for pattern, spelling in _SPELLINGS:
        folded = pattern.sub(spelling, folded)
    folded = unicodedata.normalize("NFC", folded)
    return folded if folded == text else _folded(folded)  # what one rule leaves another may take up


def _check(word: str) -> None:
    for sign in word:
        if unicodedata.category(sign) == "Cn":  # also what is newer than the tables that words are folded by
            _refuse(f"{named(sign)} cannot stand in a tag: it is no character that is known here")
    if found := _ILLEGAL.search(word):
        _refuse(f"{named(found[0])} cannot stand in a tag: it holds letters and digits of living scripts, {_NAMED}")
    if found := _BARE_MARK.search(word):
        _refuse(f"{named(found[0])} is a mark and stands on a letter in a tag")
    if found := _LOOSE_SIGN.search(word):
        _refuse(f"{named(found[0])} stands between two letters in a tag")
    parts = _WORDS.findall(word)
    if not parts:
        _refuse("A tag holds a letter or a digit")
    for part in parts:
        if not part.isascii() and not _ONE_SCRIPT.fullmatch(part):
            _refuse("A word in a tag is of one script, so that none looks like another: put a hyphen between two")
    if len({ord(sign) - unicodedata.decimal(sign) for sign in word if unicodedata.category(sign) == "Nd"}) > 1:
        _refuse("The digits of a tag are of one script")


_NAMED: Final = f"the signs {' '.join(SIGNS)} and, between letters, {' '.join(MEDIAL)}"


def _refuse(rule: str) -> NoReturn:
    raise PydanticCustomError("tag", "{rule}", {"rule": rule})
