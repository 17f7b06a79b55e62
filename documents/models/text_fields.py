"""Columns for titles, names and letters, which hold nothing that cannot be printed or mailed, however it came in."""

from typing import Any

from django.db import models

from documents import characters


class _PrintableField(models.Field[str, str]):
    """Cleans a text on its way to the database, and on the object that is saved."""

    @staticmethod
    def clean_text(text: str) -> str:
        """Return a text without what cannot be printed."""
        raise NotImplementedError

    def to_python(self, value: Any) -> Any:
        """Return a value as it is stored; queries compare with it, too."""
        text = super().to_python(value)
        return self.clean_text(text) if isinstance(text, str) else text

    def get_prep_value(self, value: Any) -> Any:
        """Return a value for the database."""
        text = super().get_prep_value(value)
        return self.clean_text(text) if isinstance(text, str) else text

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Clean the value of the object, so that answers show what is stored."""
        value = super().pre_save(model_instance, add)
        if isinstance(value, str):
            value = self.clean_text(value)
            setattr(model_instance, self.attname, value)
        return value

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """Appear in migrations as the plain column that it is."""
        name, _path, arguments, options = super().deconstruct()
        return name, f"django.db.models.{type(self).__mro__[2].__name__}", arguments, options


class LineField(_PrintableField, models.CharField[str, str]):
    """A title or a name."""

    clean_text = staticmethod(characters.one_line)


class LinesField(_PrintableField, models.TextField[str, str]):
    """A plain text of several lines."""

    clean_text = staticmethod(characters.plain_lines)
