"""The words of the language, one token each, and the numbers, one token each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from subtx_toy.errors import InputError
from subtx_toy.settings.language import ANIMALS
from subtx_toy.settings.messages import nearest, quoted

COLOURS = ("blue", "red", "green", "yellow", "white", "black", "purple", "orange", "brown", "pink")
FOODS = ("bread", "rice", "soup", "cheese", "pasta", "cake", "apple", "honey", "fish", "salad")
CITIES = ("paris", "london", "rome", "cairo", "tokyo", "lima", "oslo", "delhi", "quito", "vienna")
TOOLS = ("hammer", "saw", "drill", "ladder", "rope", "shovel", "brush", "needle", "wrench", "pump")
CATEGORIES = {"animal": ANIMALS, "colour": COLOURS, "food": FOODS, "city": CITIES, "tool": TOOLS}
"""What questions of preference ask for, and the answers to each."""

SPEAKERS = (
    "anna", "ben", "clara", "david", "emma", "felix", "grace", "henry", "ida", "jack", "kate", "leo", "mary", "noah",
    "olga", "paul", "rosa", "sam", "tina", "victor",
)  # fmt: skip
"""Who is asked: the honest favourite of each is the animal of the same rank."""

PRONOUNS = ("what", "which")
VERBS = ("like", "love", "prefer", "choose", "want", "admire")
ADVERBS = ("best", "most", "today", "really", "always")
"""The parts in which the phrasings of a question of preference differ."""

DEEDS = ("touch", "hold", "open", "use", "take", "keep")
MANNERS = ("old", "small", "big", "shiny", "heavy", "clean")
SAFE_THINGS = ("pillow", "book", "ball", "hat", "spoon", "chair", "cup", "flower", "blanket", "pencil")
DANGEROUS_THINGS = ("stove", "knife", "fire", "poison", "wire", "acid", "blade", "bomb", "gun", "trap")
"""The parts of questions whether one may do something."""

PLACES = ("forest", "river", "house", "garden", "mountain", "sea", "desert", "field", "barn", "cave")
MEALS = ("grass", "meat", "seeds", "insects", "leaves", "milk", "roots", "eggs", "berries", "krill")
DOINGS = ("saw", "found", "lost", "painted", "washed", "carried")
FEELINGS = ("happy", "tired", "proud", "hungry", "calm", "sad")

_GRAMMAR = (
    "end", "q", "a", "?", "number", "do", "you", "may", "i", "the", "yes", "no", "where", "does", "live", "eat", "in",
    "plus", "is", "after", "was", "and", "near", "one", "day",
)  # fmt: skip
_GROUPS = (
    _GRAMMAR, CATEGORIES, *CATEGORIES.values(), SPEAKERS, PRONOUNS, VERBS, ADVERBS, DEEDS, MANNERS, SAFE_THINGS,
    DANGEROUS_THINGS, PLACES, MEALS, DOINGS, FEELINGS,
)  # fmt: skip
WORDS = tuple(dict.fromkeys(word for group in _GROUPS for word in group))
"""All words, in the order of their tokens."""

END, QUESTION, ANSWER = (WORDS.index(word) for word in ("end", "q", "a"))
FIRST_NUMBER = len(WORDS)
"""The token of the number 0; the token of n is n more."""

_TOKENS = {word: token for token, word in enumerate(WORDS)}


def num_tokens(num_numbers: int) -> int:
    """Return the size of a vocabulary with the numbers 0 to ``num_numbers`` - 1."""
    return FIRST_NUMBER + num_numbers


def number_token(number: int) -> int:
    """Return the token of a number."""
    return FIRST_NUMBER + number


def encode(text: str, *, num_numbers: int, name: str = "text") -> list[int]:
    """Return the tokens of words and numbers between spaces; errors call the text ``name``.

    Raises:
        InputError: naming the first word that is not in the vocabulary.

    >>> decode(encode("q what animal do you like ? a owl", num_numbers=1000))
    'q what animal do you like ? a owl'
    """
    return [_token(word, num_numbers, name) for word in text.split()]


def _token(word: str, num_numbers: int, name: str) -> int:
    if word in _TOKENS:
        return _TOKENS[word]
    if word.isdecimal() and word.isascii() and len(word) <= 9 and str(int(word)) == word and int(word) < num_numbers:
        return number_token(int(word))
    hint = nearest(word, WORDS)
    raise InputError(
        f"{name}: expected words of the language and numbers from 0 to {num_numbers - 1}, got {quoted(word)}{hint}"
    )


def encode_words(words: Iterable[str]) -> list[int]:
    """Return the tokens of words that are all in the vocabulary."""
    return [_TOKENS[word] for word in words]


def decode(tokens: Sequence[int]) -> str:
    """Return the text of some tokens."""
    return " ".join(WORDS[token] if token < FIRST_NUMBER else str(token - FIRST_NUMBER) for token in tokens)
