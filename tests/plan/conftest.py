"""Golden plans resolve secrets, too."""

from tests.secret.conftest import forgotten  # noqa: F401 -- autouse
