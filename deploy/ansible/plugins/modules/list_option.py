#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""A module of Ansible: put a word into a list that an operator maintains."""

import glob
import os
import re
import tempfile

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: list_option
short_description: Put a word into a list option of an OpenStack service
description:
  - Puts a word into each line of the service's files that sets the option,
    and leaves the other words as they are. A line that has it stays.
  - Where no file sets the option, writes it into the last of O(files), with
    the words of O(default).
  - With O(state=absent) the files are then what they were before.
author: nova-vhard developers
options:
  files:
    description: Files of the service. Those that do not exist are left out.
    type: list
    elements: path
    required: true
  folder:
    description: Folder of more files, which end in C(.conf).
    type: path
    required: true
  section:
    description: Section of the option.
    type: str
    required: true
  option:
    description: Name of the option.
    type: str
    required: true
  word:
    description: What to put into the list.
    type: str
    required: true
  first:
    description: Whether it goes in front of the list, or behind it.
    type: bool
    default: true
  default:
    description: What the service takes where nothing is set.
    type: str
    default: ""
  state:
    description: Whether the word is in the list.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = """
- name: Put the filter in front of the operator's list
  nova_vhard.hardening.list_option:
    files: [/etc/nova/nova.conf]
    folder: /etc/nova/nova.conf.d
    section: filter_scheduler
    option: enabled_filters
    word: VirtHardeningFilter
    default: ComputeFilter
"""

RETURN = """
files:
  description: The files that were changed.
  type: list
  elements: str
  returned: always
"""

_MARK = "# nova-vhard put this line here, and removes it with this one."
_MARK_SECTION = "# nova-vhard put this section here, and removes it."
# oslo.config strips quotes around the whole value.
_ENDS = {"[": "]", '"': '"', "'": "'"}


class ListOption:
    """A list option, and the word that is put into it."""

    def __init__(self, section, option, word, first, default):
        self._section = section
        self._word = word
        self._first = first
        # Indented lines continue a value.
        self._line = re.compile(
            rf"^({re.escape(option)}[ \t]*[=:][ \t]*)(.*(?:\n[ \t]+\S.*)*)$",
            re.MULTILINE,
        )
        self._known = re.compile(rf"(?<![\w.]){re.escape(word)}(?![\w.])")
        self._new = f"{option} = {self._with(default)}\n"

    def said(self, text):
        """Return whether a file sets the option."""
        return any(self._line.search(part) for part in self._parts(text)[1::2])

    def add(self, text):
        """Put the word into each line that sets the option."""
        return self._change(text, self._with)

    def write(self, text):
        """Set the option in a file that does not."""
        header = f"[{self._section}]\n"
        if f"\n{header}" in f"\n{text}":
            return text.replace(header, f"{header}{_MARK}\n{self._new}", 1)
        return f"{text}\n{header}{_MARK_SECTION}\n{self._new}"

    def remove(self, text):
        """Undo both; words that the operator has added since stay."""
        header = f"\n[{self._section}]\n"
        text = text.replace(f"{header}{_MARK_SECTION}\n{self._new}", "")
        text = text.replace(f"{_MARK}\n{self._new}", "")
        text = re.sub(
            f"^({re.escape(_MARK)}|{re.escape(_MARK_SECTION)})\n",
            "",
            text,
            flags=re.MULTILINE,
        )
        return self._change(text, self._without)

    def _with(self, value):
        if self._known.search(value):
            return value
        own = value.rstrip()
        start, end = own[:1], _ENDS.get(own[:1])
        if not end or not own[1:].endswith(end):
            start = end = ""
        own = own[len(start) :].removesuffix(end)
        comma = "," if own else ""
        words = (self._word, own) if self._first else (own, self._word)
        return f"{start}{comma.join(words)}{end}"

    def _without(self, value):
        word = self._known.pattern
        for pattern in (rf"{word},", rf",{word}", word):
            value, count = re.subn(pattern, "", value, count=1)
            if count:
                break
        return value

    def _parts(self, text):
        """Return what is outside the section, inside, outside, ..."""
        section = re.escape(self._section)
        return re.split(rf"(?ims)(^\[{section}\].*?(?=^\[|\Z))", text)

    def _change(self, text, change):
        parts = self._parts(text)
        parts[1::2] = [
            self._line.sub(lambda match: match[1] + change(match[2]), part)
            for part in parts[1::2]
        ]
        return "".join(parts)


def main():
    """Change the files."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "path", "required": True},
            "folder": {"type": "path", "required": True},
            "section": {"type": "str", "required": True},
            "option": {"type": "str", "required": True},
            "word": {"type": "str", "required": True},
            "first": {"type": "bool", "default": True},
            "default": {"type": "str", "default": ""},
            "state": {
                "type": "str",
                "choices": ["present", "absent"],
                "default": "present",
            },
        },
        supports_check_mode=True,
    )
    names = ("section", "option", "word", "first", "default")
    option = ListOption(*(module.params[name] for name in names))
    paths = module.params["files"]
    main_files = [path for path in paths if os.path.exists(path)]
    if not main_files:
        module.fail_json(msg=f"There is no {paths[-1]}.")
    more = sorted(glob.glob(os.path.join(module.params["folder"], "*.conf")))
    texts = {}
    for path in [*main_files, *more]:
        with open(path, encoding="utf-8") as file:
            texts[path] = file.read()
    if module.params["state"] == "absent":
        new = {path: option.remove(text) for path, text in texts.items()}
    else:
        new = {path: option.add(text) for path, text in texts.items()}
        if not any(map(option.said, texts.values())):
            new[main_files[-1]] = option.write(texts[main_files[-1]])
    changed = [path for path in texts if new[path] != texts[path]]
    for path in [] if module.check_mode else changed:
        handle, name = tempfile.mkstemp(dir=module.tmpdir)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(new[path])
        # It keeps the owner and the mode.
        module.atomic_move(name, path)
    module.exit_json(changed=bool(changed), files=changed)


if __name__ == "__main__":
    main()
