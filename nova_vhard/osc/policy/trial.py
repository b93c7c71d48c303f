# SPDX-License-Identifier: Apache-2.0
"""openstack vhard policy test, and explain: a policy tried without a cloud."""

import argparse
from typing import Any

from osc_lib import exceptions

from nova_vhard.common.problems import PolicyError, Problem
from nova_vhard.explain import fixes, messages, search
from nova_vhard.osc import output, policies
from nova_vhard.osc.policy import case_file, case_options, image_file
from nova_vhard.osc.violations import FixCell
from nova_vhard.policy.subject import UPLOAD
from nova_vhard.policy.watch import today
from nova_vhard.request import described

_DIFFERS = "differs"


class RunPolicyTests(output.OfflineLister):
    """Compare a policy's verdicts with those that test files expect.

    A unit test of a policy: each case of a file describes a request and the
    verdict that it should get. What is not as expected is shown as a diff.
    Exit status 0 if all is as expected, else 1. No cloud is asked.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the files and the policy."""
        parser.add_argument(
            "files", metavar="<file>", nargs="+", help="File of cases (YAML)."
        )
        policies.add_option(parser, default=False)
        output.add_date(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> output.Rows:
        """Return one row a case."""
        files: list[case_file.CaseFile] = []
        problems: list[Problem] = []
        for path in parsed_args.files:
            try:
                files.append(case_file.read(path))
            except PolicyError as error:
                problems += error.problems
        if problems:
            raise exceptions.CommandError(str(PolicyError(problems)))
        rows: list[tuple[Any, ...]] = []
        for file in files:
            policy = policies.load(
                parsed_args.policy or file.policy or policies.default_policy(),
                self.say,
            )
            day = parsed_args.date or file.date or today()
            for test in file.tests:
                result = test.differences(policy, day)
                rows.append(
                    (
                        file.path,
                        output.Cell(test.name),
                        _DIFFERS if result else "ok",
                        output.Cell(result, separator="\n"),
                    )
                )
        wrong = sum(1 for row in rows if row[2] == _DIFFERS)
        self.status = 1 if wrong else 0
        self.say(
            f"{output.counted(len(rows), 'case')}, {wrong} not as expected"
        )
        return ("File", "Case", "Result", "Difference"), rows


class ExplainPolicy(output.OfflineShowOne):
    """Show the answer to a request, as its user would read it.

    The request is described by options, and no cloud is asked.
    Properties without a rule are reported as unknown. With --file, the field
    "command" is an upload that the policy accepts. Exit status 0 if the
    request passes (verdict allow, warn, audit or disabled), 1 if it is refused
    or the image file cannot be used. If a .disabled file disables the policy,
    a warning is printed on standard error, but the verdict is the same.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add everything that a request consists of."""
        parser.set_defaults(max_width=output.WIDTH)
        case_options.add(parser)
        policies.add_option(parser)
        output.add_date(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Return what the user, and the operator, would read."""
        if parsed_args.file:
            parsed_args.operation = UPLOAD
            parsed_args.disk_format = image_file.disk_format(
                parsed_args.file, parsed_args.disk_format
            )
        data = case_options.description(parsed_args)
        case = described.read(data)
        policy = policies.load(parsed_args.policy, self.say)
        day = parsed_args.date or today()
        verdict = case.verdict(policy, day)
        stated = verdict.refusals or verdict.warnings or verdict.violations
        fix = search.fix(
            policy,
            stated,
            case,
            day,
            lambda draft: described.read(data, draft.lookups),
        )
        say = messages.api_message if verdict.refusals else messages.describe
        words = fixes.words(fix)
        long = say(stated, words) if stated else None
        self.status = 1 if verdict.refusals else 0
        for text in case_options.unknown(parsed_args):
            self.say(text)
        command = None
        if parsed_args.file and not (verdict.refusals and fix.left):
            command = image_file.command(
                parsed_args, fix.changes if verdict.refusals else ()
            )
        return (
            "verdict",
            "explanation",
            "fix",
            "command",
            "fault",
            "rules",
            "exemptions",
            "host_checks",
            "policy",
        ), (
            verdict.outcome,
            case_options.devices(long, parsed_args.block_device)
            if long
            else None,
            FixCell(
                case_options.devices(words, parsed_args.block_device),
                fix.changes,
            ),
            command,
            case_options.devices(
                messages.fault_message(verdict.refusals),
                parsed_args.block_device,
            )
            if verdict.refusals
            else None,
            output.Cell(verdict.rules),
            output.Cell(sorted({name for _, name in verdict.exempted})),
            output.Cell(sorted(described.host_checks(case, policy, day))),
            policy.digest,
        )
