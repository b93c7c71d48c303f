# SPDX-License-Identifier: Apache-2.0
"""Parser for the text of a refusal.

Some clients, such as Horizon, pass on only the text. This is its grammar, in
the order in which ``read`` parses it::

    answer    = before refusal [" (HTTP 403)" [" (Request-ID: " id ")"]]
    refusal   = OPENING sentences [" To fix: " fix] [" See " url]
    sentences = sentence / 2*("(" number ") " sentence) [" And " number
                " more."]
    sentence  = words " [rule " rules "]"
    fix       = words *("`" command "`" words)
    url       = [vhard] help_url "#" anchor

``before`` is text of the client. Outside of ``fix``, text from other sources
has no backticks, so that only a command looks like one. ``read`` splits at the
last " To fix: " after a rule, because a fix never contains it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nova_vhard.common import links
from nova_vhard.common.text import MESSAGE_LIMIT, line
from nova_vhard.explain.messages import OPENING, SEE, TO_FIX

_SEE = re.compile(rf"{SEE}({links.PAGE}#rule-[a-z-]{{1,64}})\Z")
_CLIENT = re.compile(r" \(HTTP \d{3}\)(?: \(Request-ID: [^()]*\))?\s*\Z")
_FIX = re.compile(rf"(?:\]|\] And \d+ more\.){TO_FIX}")
_MORE = re.compile(r" And (\d+) more\.")
_RULE = re.compile(r"(.*) \[rule ([^\[\]]+)\]", re.DOTALL)


@dataclass(frozen=True)
class Sentence:
    """One violation.

    :ivar text: the requested value, the allowed values and further notes
    :ivar rule: IDs of the rules; empty if the text was truncated
    """

    text: str
    rule: str


@dataclass(frozen=True)
class Step:
    """One part of a fix.

    :ivar command: whether the text is a command to paste unchanged
    """

    text: str
    command: bool


@dataclass(frozen=True)
class Refusal:
    """A parsed refusal.

    :ivar message: the whole text, on one line
    :ivar more: number of violations that are not in ``violations``
    :ivar fix: empty if the violations already contain it
    :ivar url: link to the explanation of the first rule; empty if the cloud
        has none
    """

    message: str
    violations: tuple[Sentence, ...]
    more: int
    fix: tuple[Step, ...]
    url: str = ""


def read(text: str) -> Refusal | None:
    """Return the refusal in a client's text about an answer.

    :param text: text of an exception or of a message
    :returns: None if the text contains no refusal
    """
    _, opening, rest = text[: 2 * MESSAGE_LIMIT].partition(OPENING)
    if not opening:
        return None
    rest = line(_CLIENT.sub("", rest))
    message = OPENING + rest
    see = _SEE.search(rest)
    rest = rest[: see and see.start()]
    *_, last = (None, *_FIX.finditer(rest))
    sentences, fix = rest, ""
    if last:
        end = last.end() - len(TO_FIX)
        sentences, fix = rest[:end], rest[last.end() :]
    more = _MORE.search(sentences, sentences.rfind("]"))
    return Refusal(
        message,
        tuple(_violations(sentences[: more and more.start()])),
        int(more[1]) if more else 0,
        tuple(_steps(fix)),
        see[1] if see else "",
    )


def _violations(sentences: str) -> Iterator[Sentence]:
    """Yield the violations. If there are several, they are numbered."""
    number = 1
    rest = sentences.removeprefix("(1) ")
    while rest != sentences:
        number += 1
        sentence, separator, following = rest.partition(f"] ({number}) ")
        if not separator:
            break
        yield _sentence(f"{sentence}]")
        rest = following
    yield _sentence(rest)


def _sentence(text: str) -> Sentence:
    match = _RULE.fullmatch(text)
    return Sentence(*match.groups()) if match else Sentence(text, "")


def _steps(fix: str) -> Iterator[Step]:
    """Yield text and commands. An unpaired backtick is text."""
    parts = fix.split("`")
    if len(parts) % 2 == 0:
        parts[-2:] = ["`".join(parts[-2:])]
    for index, part in enumerate(parts):
        if part:
            yield Step(part, index % 2 == 1)
