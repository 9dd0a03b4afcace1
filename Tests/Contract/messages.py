# Cuts the two byte streams of an HTTP/1.1 connection into exchanges (RFC 9112 §6.3).
#
# A request that cannot be read ends the cutting on its side: the answer to it is then one to an
# unknown request, which must be a problem all the same. What follows a `101` is not looked at.


def exchanges(sent, answered):
    """Dictionaries with method, target, accept, accept_encoding, status, reason, fields, body."""
    requests = list(_requests(sent))
    position = 0
    for index in range(len(requests) + 1):
        request = requests[index] if index < len(requests) else None
        while True:
            answer, position = _answer(answered, position, request)
            if answer is None:
                return
            if answer["status"] == 101:
                return
            if answer["status"] >= 200:
                break
        method, target, fields = request or (None, None, [])
        yield answer | {
            "method": method, "target": target,
            "accept": _values(fields, "accept"),
            "accept_encoding": _values(fields, "accept-encoding")}


def _head(stream, position):
    """First line, fields with lower-case names, and where the body begins."""
    end = stream.find(b"\r\n\r\n", position)
    if end < 0:
        return None
    first, *rest = stream[position:end].decode("latin-1").split("\r\n")
    fields = []
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon:
            return None
        fields.append((name.lower(), value.strip(" \t")))
    return first, fields, end + 4


def _value(fields, name):
    return next((value for other, value in fields if other == name), None)


def _values(fields, name):
    return ",".join(value for other, value in fields if other == name)


def _body(stream, position, fields, until_close):
    """The decoded body and where it ends; None if the stream ends before it."""
    if (_value(fields, "transfer-encoding") or "").lower() == "chunked":
        body = b""
        while True:
            line = stream.find(b"\r\n", position)
            if line < 0:
                return None
            try:
                size = int(stream[position:line].split(b";")[0], 16)
            except ValueError:
                return None
            position = line + 2
            if size == 0:
                # No trailers are sent to or by this service.
                return (body, position + 2) if stream[position:position + 2] == b"\r\n" else None
            body += stream[position:position + size]
            position += size + 2
            if position > len(stream):
                return None
    length = _value(fields, "content-length")
    if length is None:
        return (stream[position:], len(stream)) if until_close else (b"", position)
    if not length.isdigit() or position + int(length) > len(stream):
        return None
    return stream[position:position + int(length)], position + int(length)


def _requests(stream):
    position = 0
    while head := _head(stream, position):
        first, fields, position = head
        words = first.split(" ")
        if len(words) != 3:
            return
        yield words[0], words[1], fields
        body = _body(stream, position, fields, until_close=False)
        if body is None:
            return
        position = body[1]


def _answer(stream, position, request):
    head = _head(stream, position)
    if head is None:
        return None, position
    first, fields, position = head
    _, status, reason = (first + "  ").split(" ", 2)
    status = int(status)
    is_bare = status < 200 or status in (204, 304) or (request and request[0] == "HEAD")
    body = (b"", position) if is_bare else _body(stream, position, fields, until_close=True)
    if body is None:
        # The client went away in the middle of it.
        return None, position
    answer = {"status": status, "reason": reason.strip(), "fields": fields, "body": body[0]}
    return answer, body[1]
