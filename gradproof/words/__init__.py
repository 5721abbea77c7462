"""Sentences to the languages that people read."""

from gradproof.words.say import LANGUAGES, listed, say, sentence

__all__ = ["LANGUAGES", "listed", "say", "sentence"]
