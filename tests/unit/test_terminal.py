# SPDX-License-Identifier: Apache-2.0
"""Tests of a program's output, and of the stream that it goes to."""

import io

import pytest

from nova_vhard.common import terminal

ODD = "a\x1b[2J\nb"


@pytest.mark.parametrize(
    ("write", "content", "out", "err"),
    [
        (terminal.say, ODD, "a[2J b\n", ""),
        (terminal.say, 7, "7\n", ""),
        (terminal.complain, ODD, "", "a[2J b\n"),
        (terminal.show, ODD, "a[2J\nb\n", ""),
        # who calls these has made each value safe
        (terminal.show_data, "a\nb", "a\nb\n", ""),
        (
            terminal.show_json,
            {"ä": [1]},
            '{\n  "\\u00e4": [\n    1\n  ]\n}\n',
            "",
        ),
    ],
)
def test_what_is_written_where(capsys, write, content, out, err):
    write(content)
    assert capsys.readouterr() == (out, err)


def test_a_line_goes_to_the_stream_that_is_given(capsys):
    stream = io.StringIO()
    terminal.say(ODD, stream)
    assert stream.getvalue() == "a[2J b\n"
    assert capsys.readouterr() == ("", "")
