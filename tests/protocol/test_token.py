import base64
import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.certificate import (
    ALL_ROLES,
    MEMBER_ROLES,
    CannotIssueError,
    Certificate,
    Issuer,
    certify,
    invite,
)
from pnode.protocol.codec import pack, unpack
from pnode.protocol.ids import cluster_id
from pnode.protocol.record import Address
from pnode.protocol.signed import Kind, sign
from pnode.protocol.token import (
    CutTokenError,
    ForgedTokenError,
    MistypedTokenError,
    NewerTokenError,
    NotATokenError,
    Token,
    TokenError,
    TokenExpiredError,
    TokenNotYetValidError,
    make_token,
    parse_token,
)

from .credentials import ADMIN, AUTHORITY, CRYPTO, DAY, HOUR, MINUTE, NOW, node, seed, stranger

SECRET = bytes(range(16))
HOME = Address("192.168.1.10", 40404)
TOKEN = make_token(CRYPTO, AUTHORITY, SECRET, (HOME,), NOW)


def body_of(token: Token) -> list:  # type: ignore[type-arg]  # plain msgpack
    text = token.text.removeprefix("pnode1-")
    plain: list = unpack(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[3:-4])  # type: ignore[type-arg]
    return plain


def armoured(body: bytes) -> str:
    """A word with proper length and checks around any body."""

    def check(data: bytes, size: int) -> bytes:
        return hashlib.blake2b(data, digest_size=size, person=b"pnode-token").digest()

    length = len(body).to_bytes(2, "big")
    whole = length + check(length, 1) + body
    return "pnode1-" + base64.urlsafe_b64encode(whole + check(whole, 4)).decode().rstrip("=")


# -- what a token carries


@pytest.mark.parametrize("issuer", [AUTHORITY, ADMIN], ids=["authority", "admin"])
def test_a_token_gives_all_that_a_newcomer_needs(issuer: Issuer) -> None:
    made = make_token(CRYPTO, issuer, SECRET, (HOME, Address("n1.example.org", 41000)), NOW)

    token = parse_token(CRYPTO, made.text)
    credential = certify(CRYPTO, token.issuer, node("beta"), "beta", NOW)

    assert token == made
    assert token.authority == node("authority")
    assert token.cluster == cluster_id(node("authority"))
    assert token.addresses == (HOME, Address("n1.example.org", 41000))
    assert token.invite.grants == MEMBER_ROLES
    assert len(credential.chain) == len(issuer.chain) + 2


def test_periods_and_roles_of_a_token_can_be_chosen() -> None:
    token = make_token(CRYPTO, AUTHORITY, SECRET, (), NOW, grants=ALL_ROLES, admits_s=HOUR, lasts_s=DAY)

    assert (token.invite.grants, token.invite.admits_until_s, token.invite.lasts_s) == (ALL_ROLES, NOW + HOUR, DAY)
    assert token.addresses == ()


def test_a_token_is_one_short_shell_safe_word() -> None:
    by_admin = make_token(CRYPTO, ADMIN, SECRET, (HOME,), NOW)

    assert set(TOKEN.text) <= set(string.ascii_letters + string.digits + "-_")
    assert TOKEN.text.startswith("pnode1-")
    assert len(TOKEN.text) <= 230
    assert len(by_admin.text) <= 410


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "255.255.255.255", "::1", "fd00::1:2", "fe80::1%eth0", "node", "n", "n" * 16, "n" * 255, "010.1.1.1",
     "FD00::1", "höst.example"],
)  # fmt: skip
def test_every_kind_of_host_comes_back_as_it_was(host: str) -> None:
    address = Address(host, 1)

    assert make_token(CRYPTO, AUTHORITY, SECRET, (address,), NOW).addresses == (address,)


def test_addresses_keep_their_order_and_the_first_eight_are_taken() -> None:
    addresses = tuple(Address(f"10.0.0.{i}", 40404 + i // 2 % 2) for i in range(10))

    assert make_token(CRYPTO, AUTHORITY, SECRET, addresses, NOW).addresses == addresses[:8]


def test_line_breaks_and_spaces_from_copying_do_no_harm() -> None:
    text = f"  {TOKEN.text[:80]}\r\n   {TOKEN.text[80:]}\n"

    assert parse_token(CRYPTO, text) == TOKEN


def test_a_token_never_shows_its_secret() -> None:
    assert TOKEN.text not in repr(TOKEN)
    assert repr(SECRET)[2:-1] not in repr(TOKEN)
    assert repr(TOKEN.issuer.seed)[2:-1] not in repr(TOKEN)


def test_a_node_without_the_right_to_invite_makes_no_token() -> None:
    beta = certify(CRYPTO, AUTHORITY, node("beta"), "beta", NOW)

    with pytest.raises(CannotIssueError, match="run this on a node whose role is admin"):
        make_token(CRYPTO, Issuer(AUTHORITY.authority, seed("beta"), beta.chain), SECRET, (), NOW)


# -- time


def test_a_token_is_good_for_a_day_give_or_take_five_minutes() -> None:
    for now in (NOW - 5 * MINUTE, NOW, NOW + DAY, NOW + DAY + 5 * MINUTE):
        TOKEN.check(now)


def test_a_token_used_too_late_says_when_it_ended_and_how_to_get_another() -> None:
    with pytest.raises(TokenExpiredError, match=r"ran out 3 hours ago, at 2027-01-16T08:00:00Z; run 'pnode token'"):
        TOKEN.check(NOW + DAY + 3 * HOUR)


def test_a_token_from_the_future_says_by_how_much_the_clock_is_wrong() -> None:
    with pytest.raises(
        TokenNotYetValidError, match=r"wrong by about 60 minutes: it is 2027-01-15T07:00:00Z here.*date -u"
    ):
        TOKEN.check(NOW - HOUR)


def test_an_expired_token_can_still_be_read() -> None:
    token = make_token(CRYPTO, AUTHORITY, SECRET, (), 0.0)

    with pytest.raises(TokenExpiredError):
        token.check(NOW)


# -- damage


def one_line(error: pytest.ExceptionInfo[TokenError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("end", range(1, len(TOKEN.text)))
def test_a_token_cut_anywhere_is_called_cut(end: int) -> None:
    with pytest.raises(CutTokenError) as error:
        parse_token(CRYPTO, TOKEN.text[:end])

    assert "cut short" in one_line(error)
    assert "copy the whole word" in one_line(error)


def test_a_cut_token_says_how_much_is_missing() -> None:
    with pytest.raises(CutTokenError, match=f"100 of its {len(TOKEN.text)} characters are here"):
        parse_token(CRYPTO, TOKEN.text[:100])
    with pytest.raises(CutTokenError, match=f"11 of its {len(TOKEN.text)} characters are here"):
        parse_token(CRYPTO, TOKEN.text[:11])


@pytest.mark.parametrize("at", range(7, len(TOKEN.text)))
def test_a_token_with_any_letter_changed_is_called_mistyped(at: int) -> None:
    for letter in "AZaz09-_":
        if letter != TOKEN.text[at]:
            with pytest.raises(MistypedTokenError, match="mistyped"):
                parse_token(CRYPTO, TOKEN.text[:at] + letter + TOKEN.text[at + 1 :])


@pytest.mark.parametrize("secret", [bytes([i]) * 16 for i in range(3)])
def test_the_spare_bits_of_the_last_letter_must_be_as_they_were_written(secret: bytes) -> None:
    # Host names of three lengths: one of them ends on a whole group of letters, the others have bits to spare.
    for host in ("a.bc", "a.bcd", "a.bcde"):
        text = make_token(CRYPTO, AUTHORITY, secret, (Address(host, 1),), NOW).text
        for letter in string.ascii_letters:
            if letter != text[-1]:
                with pytest.raises(MistypedTokenError):
                    parse_token(CRYPTO, text[:-1] + letter)


def test_swapped_and_doubled_letters_are_called_mistyped() -> None:
    text = TOKEN.text
    at = next(at for at in range(50, 100) if text[at] != text[at + 1])

    with pytest.raises(MistypedTokenError, match="mistyped"):
        parse_token(CRYPTO, text[:at] + text[at + 1] + text[at] + text[at + 2 :])
    with pytest.raises(MistypedTokenError, match="too long by 1"):
        parse_token(CRYPTO, text[:at] + text[at] + text[at:])


@pytest.mark.parametrize("letter", ["!", "=", ".", "é", "\N{EN DASH}", "\x1b"])
def test_a_letter_that_no_token_has_is_named(letter: str) -> None:
    with pytest.raises(MistypedTokenError) as error:
        parse_token(CRYPTO, TOKEN.text[:40] + letter + TOKEN.text[41:])

    assert ascii(letter) in one_line(error)
    assert one_line(error).isascii()


@pytest.mark.parametrize("text", ["", " \n", "hello", "pnode-token", "SWMTKN-1-abc", "192.168.1.1:40404", "pnodeX-a"])
def test_something_else_is_called_no_token(text: str) -> None:
    with pytest.raises(NotATokenError) as error:
        parse_token(CRYPTO, text)

    assert "tokens begin with pnode1-" in one_line(error)
    assert "'pnode token' on a member makes one" in one_line(error)


def test_a_token_of_another_format_asks_for_the_version_that_made_it() -> None:
    with pytest.raises(NewerTokenError, match="has format 2 and this pnode reads format 1"):
        parse_token(CRYPTO, "pnode2-" + TOKEN.text[7:])


def test_no_message_repeats_the_token() -> None:
    for text in (TOKEN.text[:100], "pnode2-" + TOKEN.text[7:], TOKEN.text + "A", "X" + TOKEN.text):
        with pytest.raises(TokenError) as error:
            parse_token(CRYPTO, text)

        assert TOKEN.text[7:17] not in str(error.value)


@given(st.text(max_size=300) | st.text(max_size=300).map("pnode1-".__add__))
def test_arbitrary_text_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(TokenError) as error:
        parse_token(CRYPTO, text)

    assert one_line(error)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_in_proper_armour_are_no_token(body: bytes) -> None:
    with pytest.raises(ForgedTokenError):
        parse_token(CRYPTO, armoured(body))


# -- forgery


@pytest.mark.parametrize(("field", "what"), [(0, "authority"), (1, "secret"), (2, "links")])
def test_a_token_with_any_byte_changed_under_proper_checks_is_forged(field: int, what: str) -> None:
    plain = body_of(TOKEN)
    head = len(pack(plain[:field])) - 1  # without the array's own head
    size = len(pack(plain[field]))
    body = pack(plain)
    assert armoured(body) == TOKEN.text
    assert what

    for at in range(1 + head, 1 + head + size):
        damaged = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        with pytest.raises(ForgedTokenError, match="complete but not genuine"):
            parse_token(CRYPTO, armoured(damaged))


def test_a_token_of_an_admin_with_any_signed_byte_changed_is_forged() -> None:
    plain = body_of(make_token(CRYPTO, ADMIN, SECRET, (), NOW))
    for link in range(2):
        for part in range(2):
            original = plain[2][link][part]
            for at in range(len(original)):
                plain[2][link][part] = original[:at] + bytes([original[at] ^ 0x80]) + original[at + 1 :]

                with pytest.raises(ForgedTokenError):
                    parse_token(CRYPTO, armoured(pack(plain)))
            plain[2][link][part] = original


def test_a_token_whose_key_is_a_nodes_is_no_invitation() -> None:
    key = CRYPTO.public_key(hashlib.blake2b(SECRET, digest_size=32, person=b"pnode-invite").digest())
    certificate = Certificate(key, "beta", 3, int(NOW), int(NOW) + DAY, 3, int(NOW) + DAY, DAY)
    signed = sign(CRYPTO, AUTHORITY.seed, Kind.CERTIFICATE, cluster_id(AUTHORITY.authority), certificate)
    plain = body_of(TOKEN)
    plain[2] = [[signed.signature, signed.body[:1] + signed.body[35:]]]

    with pytest.raises(ForgedTokenError, match="no invitation"):
        parse_token(CRYPTO, armoured(pack(plain)))


@pytest.mark.parametrize("host", [b"\xff", b"\0", b"\0\0\0", b"a\x1b[0m"])
def test_a_token_with_an_address_that_is_none_is_forged(host: bytes) -> None:
    plain = body_of(TOKEN)
    plain[3] = [[40404, [host]]]

    with pytest.raises(ForgedTokenError, match="no host"):
        parse_token(CRYPTO, armoured(pack(plain)))


def test_a_token_with_more_addresses_than_a_node_has_is_forged() -> None:
    plain = body_of(TOKEN)
    plain[3] = [[40404, [bytes(4)] * 5], [40405, [bytes(4)] * 5]]

    with pytest.raises(ForgedTokenError, match="no invitation"):
        parse_token(CRYPTO, armoured(pack(plain)))


def test_a_token_of_another_cluster_leads_nowhere() -> None:
    other = make_token(CRYPTO, Issuer(node("other"), seed("other")), SECRET, (), NOW)

    assert other.cluster != stranger().cluster


def test_the_invite_of_a_token_is_the_one_that_an_issuer_makes_with_the_same_key() -> None:
    assert invite(CRYPTO, AUTHORITY, TOKEN.issuer.seed, NOW) == TOKEN.issuer
