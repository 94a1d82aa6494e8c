"""Which passwords are guessed first, and are refused for that."""

import pytest

from broker.errors import AccountError
from service.commands.guessing import unguessed
from service.commands.passwords import hash_password


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Password123!",
        "P@ssw0rd2026",
        "passwort12345",
        "123456789012",
        "0987654321098",
        "qwertyuiop12",
        "qwertzuiop123",
        "1q2w3e4r5t6y",
        "1qaz2wsx3edc",
        "zxcvbnmasdfgh",
        "abcdefghijkl",
        "aaaaaaaaaaaaaaaa",
        "administrator1",
        "AdminAdmin2026",
        "Welcome12345",
        "iloveyou1234",
        "letmein-letmein",
        "changeme changeme",
        "Yieldline2026",
        "y1eldl1ne-yieldline",
        "robert.tables1",
        "Robert.Tables 2026",
        "correct horse battery staple",
        "test user test user",
    ],
)
def test_what_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(AccountError, match="among the first that are guessed"):
        hash_password("robert.tables", password)


@pytest.mark.parametrize(
    "password",
    [
        "copper kettle on the moon",
        "grüne Lampen über Kiel",
        "vT7#qLp2!xZd",
        "secret shadow of a kettle",
        "password: copper kettle",
        "日本の工場の長い合言葉です",
    ],
)
def test_words_that_do_not_belong_together_are_taken(password: str) -> None:
    assert unguessed(password, "robert.tables") >= 5


def test_a_name_of_one_letter_takes_hardly_anything_away() -> None:
    assert unguessed("copper kettle on the moon", "o") >= 5
