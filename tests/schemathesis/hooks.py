"""What the document cannot say of a request."""

import os
from datetime import datetime

import schemathesis


def seconds(value):
    """A time of a query in Unix seconds; None where it is no time, which is for the service to refuse."""
    try:
        return float(value)
    except (TypeError, ValueError):
        pass
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except (ValueError, OverflowError):
        return None


# Who comes in (--auth): keeps the password, or everything after would be refused. The service refuses the rest itself.
OPERATOR = os.environ.get("OPERATOR", "anna")


@schemathesis.hook
def before_call(context, case, kwargs):
    """`from` is before `to`, where both are times. The stream of events does not end: the list is what can be tested."""
    names = case.path_parameters or {}
    if case.path == "/api/v1/users/{name}" and names.get("name") == OPERATOR and isinstance(case.body, dict):
        case.body.pop("password", None)
    query = case.query if isinstance(case.query, dict) else {}
    begin, end = seconds(query.get("from")), seconds(query.get("to"))
    if end is not None and max(end - 86400 if begin is None else begin, 0) >= max(end, 0) - 1:
        del query["to"]
    if begin is not None and begin > datetime.now().timestamp() - 60 and "to" not in query:
        del query["from"]
    if case.path == "/api/v1/events":
        case.headers = dict(case.headers or {}) | {"Accept": "application/json"}
