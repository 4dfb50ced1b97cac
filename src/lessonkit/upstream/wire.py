"""The Messages API's wire format: messages, stream events and errors as JSON."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

from lessonkit.upstream.steps import Answer, Failure, Text

Event = tuple[str, dict[str, Any]]


def usage(answer: Answer, request: dict[str, Any]) -> dict[str, int]:
    """Input and output tokens: the answer's own, or one for each word."""
    words_in = sum(len(_plain(message.get("content", "")).split()) for message in request["messages"])
    counted_in = words_in if answer.input_tokens is None else answer.input_tokens
    counted_out = len(answer.text.split()) if answer.output_tokens is None else answer.output_tokens
    return {"input_tokens": counted_in, "output_tokens": counted_out}


def message(answer: Answer, request: dict[str, Any]) -> dict[str, Any]:
    """The body of a plain answer."""
    return {
        "id": f"msg_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "model": answer.model or request["model"],
        "content": [_block(block) for block in answer.blocks],
        "stop_reason": answer.stop_reason,
        "stop_sequence": None,
        "usage": usage(answer, request),
    }


def events(answer: Answer, request: dict[str, Any]) -> Iterator[Event]:
    """A streamed answer's events, in the service's order; output tokens come last, as there."""
    counted = usage(answer, request)
    begun = message(answer, request) | {"content": [], "stop_reason": None}
    begun["usage"] = counted | {"output_tokens": 1}
    yield "message_start", {"type": "message_start", "message": begun}
    for index, block in enumerate(answer.blocks):
        empty = {"type": "text", "text": ""} if isinstance(block, Text) else _block(block) | {"thinking": ""}
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": empty}
        if index == 0:
            yield "ping", {"type": "ping"}
        for delta in _deltas(block):
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": answer.stop_reason, "stop_sequence": None}
    tokens = {"output_tokens": counted["output_tokens"]}
    yield "message_delta", {"type": "message_delta", "delta": ended, "usage": tokens}
    yield "message_stop", {"type": "message_stop"}


def sse(event: Event) -> bytes:
    """One event as Server-Sent Events write it."""
    name, data = event
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def error(failure: Failure) -> dict[str, Any]:
    """The error envelope, the same in a body and in an error event."""
    return {
        "type": "error",
        "error": {"type": failure.type, "message": failure.message},
        "request_id": request_id(),
    }


def request_id() -> str:
    return f"req_{secrets.token_hex(12)}"


def refusal(headers: dict[str, str], request: Any) -> Failure | None:
    """What the service would refuse about a request; None when it is in order."""
    if not headers.get("authorization") and not headers.get("x-api-key"):
        return Failure(401, "authentication_error", "x-api-key header is required")
    if not headers.get("anthropic-version"):
        return Failure(400, "invalid_request_error", "anthropic-version: header is required")
    if not isinstance(request, dict):
        return Failure(400, "invalid_request_error", "The request body is not valid JSON")
    for name, kind in (("model", str), ("max_tokens", int), ("messages", list)):
        if name not in request:
            return Failure(400, "invalid_request_error", f"{name}: Field required")
        if not isinstance(request[name], kind) or isinstance(request[name], bool):
            return Failure(400, "invalid_request_error", f"{name}: Input should be a valid {kind.__name__}")
    if request["max_tokens"] < 1:
        return Failure(400, "invalid_request_error", "max_tokens: must be greater than or equal to 1")
    if not request["messages"]:
        return Failure(400, "invalid_request_error", "messages: at least one message is required")
    if any(not _plain(one.get("content", "")).strip() for one in request["messages"]):
        return Failure(400, "invalid_request_error", "messages: text content blocks must be non-empty")
    if not request["model"].startswith("claude-"):
        return Failure(404, "not_found_error", f"model: {request['model']}")
    return None


def _plain(content: Any) -> str:
    """A message's content as text: it is a string, or a list of blocks."""
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "") for block in content if isinstance(block, dict))


def last_text(request: dict[str, Any]) -> str:
    """The text of the request's last message, which the model continues."""
    return _plain(request["messages"][-1].get("content", ""))


def _block(block: Any) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    return {"type": "thinking", "thinking": block.thinking, "signature": "c2lnbmVk"}


def _deltas(block: Any) -> Iterator[dict[str, Any]]:
    if isinstance(block, Text):
        for piece in block.streamed():
            yield {"type": "text_delta", "text": piece}
    else:
        yield {"type": "thinking_delta", "thinking": block.thinking}
        yield {"type": "signature_delta", "signature": "c2lnbmVk"}
