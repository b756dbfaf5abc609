"""Continue tokens: where the next page of a list begins, and which state of the list it shows."""

import base64
import binascii
import json

from pytest_smi.embedded.kubeapi import go_texts, status
from pytest_smi.embedded.kubeapi.store import Key


def token(revision: int, last: Key) -> str:
    """What a client sends to get the next page."""
    content = {"v": "meta.k8s.io/v1", "rv": revision, "start": f"{last[0]}/{last[1]}\u0000"}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def read_token(text: str) -> tuple[int, Key]:
    """Revision and last key of a continue token. Raises ApiError (400)."""
    try:
        content = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("latin-1"))
        namespace, _, name = content["start"].rstrip("\u0000").partition("/")
        return int(content["rv"]), (namespace, name)
    except json.JSONDecodeError as error:
        why = go_texts.json_problem(error)
    except binascii.Error:
        why = "illegal base64 data"
    except (ValueError, KeyError, TypeError, AttributeError):
        why = "incorrect encoded start key"
    raise status.bad_request(f"invalid continue token: continue key is not valid: {why}")


EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results."
)
