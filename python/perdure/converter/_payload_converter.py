"""What a payload converter is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

__all__ = ["PayloadConverter"]


class PayloadConverter(ABC):
    """Says how objects of many classes travel, such as of all protobuf messages.

    It stands between these objects and the plain values that every language reads, wherever values
    are written or read, also inside other values: in clients, activities and workflow code, live
    and replayed. The three methods must be pure and may be called from any thread. For one class
    `perdure.register_type` does; what is registered goes first.
    """

    @abstractmethod
    def handles(self, cls: type[Any]) -> bool:
        """Whether objects of the class are this converter's; always the same answer for a class.

        It is asked about classes of one's own, also dataclasses, enums and models; never about
        those of Python's library or about TypedDicts, which travel as they do.

        Args:
            cls: The class of a value, or that of a type hint.
        """

    @abstractmethod
    def to_payload_value(self, value: Any) -> Any:
        """What stands for an object: plain values, or whatever else can travel.

        Args:
            value: An object of a class that it handles.

        Raises:
            Exception: It cannot travel: an `EncodeError` where it is sent.
        """

    @abstractmethod
    def from_payload_value(self, value: Any, hint: Any) -> Any:
        """Makes an object from what stands for it.

        Args:
            value: What `to_payload_value` gave, read as plain values.
            hint: The type that is declared: a class that it handles, with its type arguments.

        Raises:
            Exception: The value is no such object: a `DecodeError` where it is read; in a union
                the next alternative is tried.
        """
