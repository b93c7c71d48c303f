# SPDX-License-Identifier: Apache-2.0
"""The middleware alone: what it answers, and what it leaves as it is."""

import json
from types import SimpleNamespace

import pytest
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.test import RequestFactory

from nova_vhard.explain.messages import OPENING
from nova_vhard.policy.hardware import NOBODY
from nova_vhard.policy.subject import UPLOAD
from nova_vhard.policy.watch import PolicyFile
from nova_vhard_dashboard import apps, verdicts
from nova_vhard_dashboard.middleware import RefusalMiddleware
from tests.dashboard.django_settings import OTHERS, settings
from tests.unit.explain import sentences
from tests.unit.explain.requests import of
from tests.unit.helpers import shipped, write

AJAX = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}
REFUSED = sentences.answered(
    shipped("baseline"), of({"hw_disk_bus": "ide"}, UPLOAD, NOBODY)
)
#: Without what every refusal begins with.
TEXT = REFUSED.removeprefix(OPENING)
PATH = "/api/glance/images/"


def sent(response, method="post", messages=(), **headers):
    """Return the request, and the middleware's response to it."""
    request = getattr(RequestFactory(), method)("/", **headers)
    request.horizon = {"async_messages": list(messages)}
    return request, RefusalMiddleware(lambda _: response)(request)


def explained(response):
    assert response.status_code == 403
    return json.loads(response.content)["nova_vhard"]


def test_it_is_the_one_nearest_to_the_views():
    assert (*OTHERS, apps.MIDDLEWARE) == settings.MIDDLEWARE


def test_an_answer_of_horizons_api():
    answer = JsonResponse(f"HTTP {REFUSED}", safe=False, status=403)
    _, response = sent(answer)
    assert explained(response) == {"message": TEXT}


@pytest.mark.parametrize(
    ("policy", "path", "wanted", "same"),
    [
        ("extends: baseline", PATH, "ide", True),
        ("extends: baseline", f"/horizon{PATH}", "ide", True),
        ("extends: baseline", f"{PATH}1/", "ide", False),
        ("extends: baseline", PATH, "usb", False),
        ("extends: baseline", PATH, "virtio", False),
        ("extends: baseline", PATH, None, False),
        ("extends: baseline\nenabled: false", PATH, "ide", False),
        ("mode: enforc", PATH, "ide", False),
    ],
)
def test_data_only_if_it_says_what_the_gate_said(
    policy, path, wanted, same, tmp_path, monkeypatch
):
    """The gate has refused a disk on the bus ide."""
    text = f'version: "1"\n{policy}\n'
    file = PolicyFile(write(tmp_path / "policy.yaml", text))
    monkeypatch.setattr(verdicts, "policy_file", lambda: file)
    request = RequestFactory().post(path)
    project = SimpleNamespace(project={"domain_id": "default"})
    request.user = SimpleNamespace(token=project, tenant_id="p", roles=[])
    request.DATA = wanted and {"disk_format": "raw", "hw_disk_bus": wanted}
    answer = JsonResponse(f"HTTP {REFUSED} (HTTP 403)", safe=False, status=403)
    result = explained(RefusalMiddleware(lambda _: answer)(request))
    assert result.pop("message") == f"{TEXT} (HTTP 403)"
    assert bool(result) == same
    if same:
        (violation,), (change,) = result["violations"], result["changes"]
        assert violation["property"] == change["property"] == "hw_disk_bus"
        assert (violation["value"], change["value"]) == ("ide", "virtio")
        assert (violation["allowed"], result["left"]) == ("virtio, scsi", 0)


def test_a_message_beside_a_redirect():
    messages = [
        ["error", f"Unable to rebuild instance.…{REFUSED} (HTTP 403)", ""],
        ["success", "done", ""],
    ]
    answer = HttpResponseRedirect("/project/instances/")
    request, response = sent(answer, messages=messages, **AJAX)
    assert explained(response) == {"message": f"{TEXT} (HTTP 403)"}
    assert request.horizon["async_messages"] == []


def test_an_exception_that_nobody_handled():
    middleware = RefusalMiddleware(lambda _: None)
    request = RequestFactory().post("/api/glance/images/", **AJAX)
    error = ValueError(f"HTTP {REFUSED}")
    response = middleware.process_exception(request, error)
    assert explained(response) == {"message": TEXT}
    assert middleware.process_exception(request, ValueError("no")) is None
    plain = RequestFactory().post("/api/glance/images/")
    assert middleware.process_exception(plain, error) is None


@pytest.mark.parametrize(
    "answer",
    [
        HttpResponse("a page"),
        HttpResponse(b"\xff{", content_type="application/json", status=403),
        JsonResponse("HTTP 403 Forbidden", safe=False, status=403),
        JsonResponse({"message": REFUSED}, status=403),
        JsonResponse({"description": REFUSED}),
        HttpResponseRedirect("/auth/login/"),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_everything_else_is_left_as_it_is(answer, method):
    messages = [
        ["error", "Unable to rebuild instance.…busy (HTTP 409)", ""],
        ["success", REFUSED, ""],
    ]
    request, response = sent(answer, method, messages, **AJAX)
    assert response is answer
    assert request.horizon["async_messages"] == messages


def test_a_page_without_script_is_left_as_it_is():
    answer = HttpResponseRedirect("/")
    assert sent(answer, messages=[["error", REFUSED, ""]])[1] is answer
