"""The people of the sample data; four of them can log in, with public passwords."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Person:
    """An invented person; ``has_login`` is True if they have a password and a token."""

    username: str
    first_name: str
    last_name: str
    has_login: bool = False
    is_maintainer: bool = False

    @property
    def email(self) -> str:
        """The e-mail address, in a reserved domain."""
        return f"{self.username}@example.org"

    @property
    def password(self) -> str:
        """The documented sample password."""
        return f"sample-{self.username}-1"


def _person(username: str, first_name: str, last_name: str) -> Person:
    return Person(username=username, first_name=first_name, last_name=last_name)


def _login(username: str, first_name: str, last_name: str, *, is_maintainer: bool = False) -> Person:
    return Person(
        username=username,
        first_name=first_name,
        last_name=last_name,
        has_login=True,
        is_maintainer=is_maintainer,
    )


LOGINS: tuple[Person, ...] = (
    _login("author", "Hannah", "Lindqvist"),
    _login("member", "Samuel", "Okoye"),
    _login("stranger", "Irena", "Petrović"),
    _login("maintainer", "Kim", "Wallace", is_maintainer=True),
)
PEOPLE: tuple[Person, ...] = (
    *LOGINS,
    _person("priya.raghunathan", "Priya", "Raghunathan"),
    _person("tom.albrecht", "Tom", "Albrecht"),
    _person("meilin.cavanagh", "Mei-Lin", "Cavanagh"),
    _person("ruth.nakamura", "Ruth", "Nakamura"),
    _person("josephine.abara", "Josephine", "Abara"),
    _person("declan.moyle", "Declan", "Moyle"),
    _person("freya.castellano", "Freya", "Castellano"),
    _person("wirin.garlett", "Wirin", "Garlett"),
    _person("anneke.vos", "Anneke", "Vos"),
    _person("lachlan.trent", "Lachlan", "Trent"),
    _person("yusuf.demir", "Yusuf", "Demir"),
    _person("bronte.hale", "Bronte", "Hale"),
    _person("caleb.oduya", "Caleb", "Oduya"),
    _person("sigrid.halvorsen", "Sigrid", "Halvorsen"),
)
# The areas that own projects, each with its leader and its division.
BUSINESS_AREAS: dict[str, tuple[str, str]] = {
    "Animal Science": ("tom.albrecht", "Species"),
    "Ecosystem Science": ("ruth.nakamura", "Landscapes"),
    "Fire Science": ("josephine.abara", "Landscapes"),
    "Marine Science": ("priya.raghunathan", "Seas"),
    "Plant Science and Herbarium": ("meilin.cavanagh", "Species"),
}
