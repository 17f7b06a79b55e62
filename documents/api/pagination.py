"""The pages of lists."""

import re
from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request


class StandardPagination(PageNumberPagination):
    """Pages of 25, or of ``page_size`` up to 100."""

    page_size = 25
    page_size_query_param = "page_size"
    max_page_size = 100

    def get_page_size(self, request: Request) -> int:
        """Return the number of rows on a page. Raises ValidationError unless it is a whole number above zero."""
        text = request.query_params.get(self.page_size_query_param, str(self.page_size)).lstrip("0")
        if not (text.isascii() and text.isdecimal()):
            raise ValidationError({self.page_size_query_param: "Send a whole number above zero."})
        return self.max_page_size if len(text) > 3 else min(int(text), self.max_page_size)

    def get_page_number(self, request: Request, paginator: Any) -> int | str:
        """Return the number of the page in plain digits. Raises NotFound for any other spelling."""
        number = super().get_page_number(request, paginator)
        if not re.fullmatch("[0-9]+|last", str(number)):
            raise NotFound(self.invalid_page_message.format(page_number=number, message="not a whole number"))
        return number

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameters with a minimum of one."""
        parameters = super().get_schema_operation_parameters(view)
        return [parameter | {"schema": {"type": "integer", "minimum": 1}} for parameter in parameters]
