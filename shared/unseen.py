"""Characters of which nothing is to be seen, as the insides of a character class of `regex`."""

from __future__ import annotations

from typing import Final

INVISIBLE: Final = r"\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\uFFF9-\uFFFB"
BLANK: Final = r"\u2800\u303F\uFFFC\U0001D159\U00013441\U00013442"
"""Symbols and letters of which nothing is to be seen: an empty Braille cell, a note without a head … No property of
Unicode's tells them; their names do.
"""
BOUND: Final = r"\u070F\u2D7F\U0001107F\U00013430-\U00013440\U00016FE4\U0001BC9D"
"""Marks that set letters of their own script in their places and show nothing themselves, beside others least of all:
of Syriac, Tifinagh, Brahmi, hieroglyphs, the Khitan small script, Duployan.
"""
