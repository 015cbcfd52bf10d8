"""What schemathesis must be told of our media types."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def piece_of_an_upload(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Send the bytes as they were made."""
    return value if isinstance(value, bytes) else str(value).encode()
