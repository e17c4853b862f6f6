"""The checkers' sentences in Chinese, where the learner set CNX_LANGUAGE=zh, as `cnx lab --language zh` does.

chinese.json holds a translation for each sentence that stands in a table. What a checker puts together from numbers and shapes stays English.
"""

import functools
import json
import os
from pathlib import Path

FRAME = {"expected": "应为", "got": "得到", "likely": "可能的原因", "not attempted yet": "尚未作答"}


@functools.cache
def table() -> dict[str, str]:
    return json.loads(Path(__file__).with_name("chinese.json").read_text(encoding="utf-8"))


def said(sentence: str) -> str:
    """The sentence in the learner's language, if it has a translation; of two mistakes at once, both."""
    if os.environ.get("CNX_LANGUAGE") != "zh":
        return sentence
    first, _, both = sentence.partition("two mistakes at once: ")
    if both and not first:
        for one in table():
            if both.startswith(f"{one}; and ") and (other := both.removeprefix(f"{one}; and ")) in table():
                return f"同时有两个错误：{table()[one]}；{table()[other]}"
    return table().get(sentence) or FRAME.get(sentence, sentence)
