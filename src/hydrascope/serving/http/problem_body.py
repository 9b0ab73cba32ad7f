"""The body of an error."""

from pydantic import BaseModel, Field


class FieldFault(BaseModel):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457, section 3."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: list[FieldFault] = Field(default_factory=list)
