"""Checks deliveries with the official libraries of PyPI: a list of cases comes in on standard
input, a list of what each library made of them goes out."""

import base64
import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError


def signature(case):
    try:
        body = base64.b64decode(case["body"])
        Webhook(case["secret"]).verify(body, case["headers"], json_parse=False)
        return "verified"
    except WebhookVerificationError as error:
        return str(error)


def cloud_event(case):
    event = from_http_event(HTTPMessage(case["headers"], base64.b64decode(case["body"])))
    attributes = {name: str(value) for name, value in event.get_attributes().items()}
    data = event.get_data()
    return {"attributes": attributes, "data": data if isinstance(data, (dict, list)) else json.loads(data)}


def batch(case):
    events = json.loads(base64.b64decode(case["body"]))
    headers = {"content-type": "application/cloudevents+json"}
    bodies = [base64.b64encode(json.dumps(event).encode()) for event in events]
    return [cloud_event({"headers": headers, "body": body}) for body in bodies]


kinds = {"signature": signature, "cloud_event": cloud_event, "batch": batch}
json.dump([kinds[case["kind"]](case) for case in json.load(sys.stdin)], sys.stdout)
