# SPDX-License-Identifier: Apache-2.0
"""The text of a refusal, taken apart again for whoever shows it.

Some clients pass on nothing but the text, Horizon among them. Its grammar, in
the order in which ``read`` takes it apart::

    answer    = before refusal [" (HTTP 403)" [" (Request-ID: " id ")"]]
    refusal   = OPENING sentences [" To fix: " fix] [" See " url]
    sentences = sentence / 2*("(" number ") " sentence) [" And " number
                " more."]
    sentence  = words " [rule " rules "]"
    fix       = words *("`" command "`" words)
    url       = [vhard] help_url "#" anchor

``before`` is the client's own. Words that others wrote have no
backtick outside of ``fix``, so that nothing but a command looks like one. The
last " To fix: " behind a rule is the one that counts: there is none in a fix.
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

    :ivar text: what is asked for, what is allowed, and what to know
    :ivar rule: ids of the rules; empty where the text was cut
    """

    text: str
    rule: str


@dataclass(frozen=True)
class Step:
    """A part of how to fix what is refused.

    :ivar command: whether the text is to be pasted as it is
    """

    text: str
    command: bool


@dataclass(frozen=True)
class Refusal:
    """What a refusal says.

    :ivar message: all of it, in one line
    :ivar more: how many violations there are beside the sentences
    :ivar fix: empty where the sentences say it themselves
    :ivar url: where the first rule is explained; empty where the cloud names
        no such place
    """

    message: str
    violations: tuple[Sentence, ...]
    more: int
    fix: tuple[Step, ...]
    url: str = ""


def read(text: str) -> Refusal | None:
    """Return the refusal in what a client says of an answer.

    :param text: of an exception or a message of the client
    :returns: None if there is none in it
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
    """Yield the violations; they are numbered if there are several."""
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
    """Yield words and commands; an odd backtick opens no command."""
    parts = fix.split("`")
    if len(parts) % 2 == 0:
        parts[-2:] = ["`".join(parts[-2:])]
    for index, part in enumerate(parts):
        if part:
            yield Step(part, index % 2 == 1)
