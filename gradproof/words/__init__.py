"""Sentences to the languages that people read."""

from gradproof.words.say import LANGUAGES, in_language, language, listed, say, sentence

__all__ = ["LANGUAGES", "in_language", "language", "listed", "say", "sentence"]
