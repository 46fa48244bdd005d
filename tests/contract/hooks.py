"""What the contract test leaves out, and the rules of the API that no schema can say, each with the reason."""

import gzip
import os
import re

import schemathesis
from schemathesis.core.failures import Failure

# The ids of the caller's user and token.
OWN = os.environ["MOSAIC_CONTRACT_OWN"].split(",")


@schemathesis.hook
def filter_case(context, case):
    """The run acts for one user, by one token. A request that takes either away, or takes something from them, would cut off all that
    follow: those to these two records are left out, and only when they change or remove them. Other users and tokens are made, changed
    and removed freely."""
    return not (case.method.upper() in ("PATCH", "DELETE") and (case.path_parameters or {}).get("id") in OWN)


# A request that its schema allows is refused with one of these all the same.
RULES = {
    "positive_data_acceptance": [
        # Cursors are authenticated: none can be made up.
        r"the cursor is not one of this list",
        # Of a pattern with quotes schemathesis draws no header, and takes one that breaks it for valid. (Where it makes up whole requests, it
        # does draw them.)
        r"is neither \* nor a list of entity tags",
        # What a record refers to must be there, and be seen by whoever has to see it.
        r"refers to a \w+ that does not exist",
        r"the assignee could not read the task",
        # A change may say again what it cannot change.
        r"cannot be changed",
        r"the record says another than its path",
        # A token does no more than its user may.
        r"this scope takes a user whose role is admin",
        # What is so only now.
        r"the token would have expired already",
        r"the record is not at this revision yet",
        # Bounds are in bytes of UTF-8, and those of a schema in characters.
        r"is too long: \d+ bytes",
        # What a word is, is more than a pattern can tell.
        r"there is no word to search for",
        r"the search has too many words",
        # All vectors of a model have the same dimensions.
        r"has not the dimensions of its model",
    ],
    # The record is there; its embedding is not.
    "ensure_resource_availability": [r"has no embedding"],
    # Whoever shows 30 wrong tokens in a minute is refused like this for a while, before anybody looks at the token.
    "ignored_auth": [r"got `429 Too Many Requests`"],
}


@schemathesis.hook
def filter_failure(context, failure: Failure, case, response):
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = ""
    rules = [rule for check in failure.checks for rule in RULES.get(check, [])]
    return not any(re.search(rule, said) for rule in rules for said in (detail, failure.message))


def as_bytes(value):
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


@schemathesis.serializer("application/jsonl")
def lines(context, value):
    return as_bytes(value)


@schemathesis.serializer("application/gzip")
def packed(context, value):
    return gzip.compress(as_bytes(value), mtime=0)
